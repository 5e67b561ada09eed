package link

import "testing"

// TestSpares proves that buffers are used again, and that those which wait for that
// are no more than so many bytes, whatever their sizes.
func TestSpares(t *testing.T) {
	var s Shared
	first := s.spare()
	if len(first) != 0 || cap(first) != spareSize {
		t.Fatalf("a new buffer has %d of %d bytes, want 0 of %d", len(first), cap(first), spareSize)
	}
	first = append(first, "abc"...)
	s.unspare(first)
	if again := s.spare(); len(again) != 0 || &again[:1][0] != &first[0] {
		t.Error("a buffer that is back is not used again, or not empty")
	}
	s.unspare(make([]byte, spareMax+1))
	if s.spared != 0 {
		t.Error("a buffer is kept that is too large")
	}
	for range 2 * sparesMax / spareMax {
		s.unspare(make([]byte, 0, spareMax))
		s.unspare(make([]byte, 0, spareSize))
	}
	if s.spared > sparesMax || s.spared < sparesMax-spareMax {
		t.Errorf("%d bytes are kept, want at most %d, and nearly that", s.spared, sparesMax)
	}
	for len(s.spares) > 0 {
		s.spare()
	}
	if s.spared != 0 {
		t.Errorf("%d bytes are kept in no buffer", s.spared)
	}
}
