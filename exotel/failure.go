package exotel

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
)

// classifyFailure returns how a request ended that got no answer. A certificate
// is refused during the handshake, before the request.
func classifyFailure(err error, left bool) class {
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &certificate):
		return untrusted
	case left:
		return noVerdict
	}
	return unsent
}

// explain returns err, as an error that also says whether the context ended: the
// transport reports the cause its caller gave instead.
func explain(ctx context.Context, err error) error {
	if ended := ctx.Err(); ended != nil && !errors.Is(err, ended) {
		return fmt.Errorf("%w: %w", ended, err)
	}
	return err
}

// reasonFor names a network failure in a few words.
func reasonFor(err error) string {
	var (
		certificate *tls.CertificateVerificationError
		plain       tls.RecordHeaderError
		lookup      *net.DNSError
		network     net.Error
	)
	switch {
	case errors.As(err, &certificate):
		return "certificate not trusted"
	case errors.Is(err, context.Canceled):
		return "cancelled"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded),
		errors.As(err, &network) && network.Timeout():
		return "timeout"
	case errors.As(err, &lookup):
		return "host name not found"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "connection reset"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		return "connection closed"
	case errors.As(err, &plain):
		return "no TLS at the far side"
	}
	return "connection failed"
}
