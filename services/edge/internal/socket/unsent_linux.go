package socket

import "syscall"

// mostUnsent bounds what the kernel holds of one client beside what is on its way: it would take up to 4 MiB,
// which neither counts for the queue's bound nor can be composed any more, and a slow client would have
// to read all of it before it comes to anything new. A client that cannot be caught up keeps that room: it
// is closed where it has none.
const mostUnsent = 16 << 10

const tcpNotSentLowat = 25 // TCP_NOTSENT_LOWAT of linux/tcp.h; package syscall does not have it

// keepUnsentHere has the kernel leave what it cannot send yet with the socket's queue. It is a help, not
// a promise: an error is no reason to turn the client away.
func keepUnsentHere(raw syscall.RawConn) {
	_ = raw.Control(func(fd uintptr) {
		_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpNotSentLowat, mostUnsent)
	})
}
