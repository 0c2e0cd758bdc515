package flows

import (
	"errors"
	"fmt"
)

// Error is a refusal that a client may see. Code is for programs and stable; Reason is the word that
// the wire protocol uses (protocol.md, "Refusals of a join"); Sentence tells a person what is wrong.
// Compare with errors.Is against the values below: two Errors are the same when their codes are.
type Error struct {
	Code     string
	Reason   string
	Sentence string
	cause    error
}

// The refusals of the boundary. Channel replies and HTTP problems are drawn from this table.
var (
	ErrInvalidFlowID    = &Error{Code: "invalid_flow_id", Reason: "Invalid flow identifier", Sentence: "a flow id has 1 to 255 bytes after trimming and no control characters"}
	ErrMaxClients       = &Error{Code: "max_clients_reached", Reason: "max_clients_reached", Sentence: "the flow has as many clients as it may have"}
	ErrUnavailable      = &Error{Code: "unavailable", Reason: "unavailable", Sentence: "the flow's store cannot be reached now; try again"}
	ErrUnauthorized     = &Error{Code: "unauthorized", Reason: "unauthorized", Sentence: "this needs a right that the client does not have"}
	ErrInvalidChange    = &Error{Code: "invalid_changes", Reason: "invalid_changes", Sentence: "changes must be a JSON object"}
	ErrChangeTooDeep    = &Error{Code: "changes_too_deep", Reason: "changes_too_deep", Sentence: "changes are nested too deeply"}
	ErrChangeTooLarge   = &Error{Code: "changes_too_large", Reason: "changes_too_large", Sentence: "changes are too large"}
	ErrDocumentTooLarge = &Error{Code: "document_too_large", Reason: "document_too_large", Sentence: "the flow's document would grow over its limit; make it smaller first"}
	ErrRateLimited      = &Error{Code: "rate_limited", Reason: "rate_limited", Sentence: "too many changes in too short a time; slow down and send it again"}
	ErrInvalidParams    = &Error{Code: "invalid_params", Reason: "invalid_params", Sentence: "a parameter is not of its form"}
)

func (e *Error) Error() string {
	if e.cause != nil {
		return fmt.Sprintf("%s: %v", e.Sentence, e.cause)
	}
	return e.Sentence
}

// Unwrap gives what led to the refusal. It is for logs, never for clients.
func (e *Error) Unwrap() error { return e.cause }

// Is says that errors of one code are one error, whatever their cause.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// Because gives a copy of e that remembers its cause.
func (e *Error) Because(cause error) *Error {
	c := *e
	c.cause = cause
	return &c
}

// AsError finds the refusal in err. An error that is none of them counts as ErrUnavailable: what a
// client may see never depends on an internal message.
func AsError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return ErrUnavailable.Because(err)
}
