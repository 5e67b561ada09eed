//go:build linux

package lab

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"
)

const (
	// chunk and pace are how transfers go, either way: 200 of them at 10 KiB/s each, in
	// two worlds at once, leave two cores to what is tried.
	chunk = 2 << 10
	pace  = 200 * time.Millisecond
	// targetPort is where targets listen.
	targetPort = 8080
)

// runTarget is the program of a target: NAME ADDRESS. It serves until killed.
func runTarget(args []string) int {
	name := args[0]
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, name) })
	mux.HandleFunc("/download", download)
	mux.HandleFunc("/upload", upload)
	if err := http.ListenAndServe(args[1], mux); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	return 1
}

// download sends the pattern of a seed, slowly, for a time.
func download(w http.ResponseWriter, r *http.Request) {
	seed, _ := strconv.ParseUint(r.FormValue("seed"), 10, 64)
	lasts, err := time.ParseDuration(r.FormValue("for"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	p, flush := newPattern(seed), http.NewResponseController(w)
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for range lasts / pace {
		if _, err := w.Write(p.next(chunk)); err != nil {
			return
		}
		_ = flush.Flush()
		select {
		case <-tick.C:
		case <-r.Context().Done():
			return
		}
	}
}

// upload answers with the digest of what was sent.
func upload(w http.ResponseWriter, r *http.Request) {
	digest := sha256.New()
	if _, err := io.Copy(digest, r.Body); err != nil {
		return
	}
	_, _ = io.WriteString(w, hex.EncodeToString(digest.Sum(nil)))
}
