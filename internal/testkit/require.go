package testkit

import (
	"os"
	"testing"
)

// required is set where everything must run, as in CI: what is missing there is a
// failure.
const required = "PORTICO_TEST_REQUIRE"

// Without skips a test that lacks something, or fails it where everything must run.
func Without(tb testing.TB, why string) {
	tb.Helper()
	if os.Getenv(required) != "" {
		tb.Fatalf("%s, and %s asks that everything runs", why, required)
	}
	tb.Skip(why)
}
