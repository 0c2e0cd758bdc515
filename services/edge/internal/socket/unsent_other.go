//go:build !linux

package socket

import "syscall"

// keepUnsentHere leaves it to the kernel how much it holds of one client.
func keepUnsentHere(syscall.RawConn) {}
