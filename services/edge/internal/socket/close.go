package socket

// CloseCode is the code of a WebSocket close frame (RFC 6455, section 7.4; protocol.md, "Close codes").
type CloseCode uint16

// Reason is why the server closes a socket: one row of the table below.
type Reason struct {
	Code CloseCode
	Text string
}

// Every reason for which Helix closes a socket. The official client comes back after each of these
// codes; older ones (1.6, 1.7) would stay away after 1000, which Helix therefore never begins with.
var (
	ReasonRestart   = Reason{1012, "the server restarts; come back"}
	ReasonSilent    = Reason{1002, "silent for too long"}
	ReasonTooLarge  = Reason{1009, "the frame is too large"}
	ReasonBadFrame  = Reason{1011, "the frame does not decode"}
	ReasonExpired   = Reason{1008, "the token has expired; come back with a fresh one"}
	ReasonTooSlow   = Reason{1013, "too slow to follow; come back later"}
	ReasonTooMany   = Reason{1013, "too many; come back later"}
	ReasonBadClient = Reason{1002, "not as RFC 6455 says"}
)
