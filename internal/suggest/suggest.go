// Package suggest finds the word that someone probably meant, and words the
// second half of a message: what would be right.
//
// It takes a word and the words that are known; it gives back text. It does no
// I/O and holds no state. Start reading at Nearest.
package suggest

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// wordMax bounds the words that are compared, in runes; nobody misspells
	// longer ones by a letter or two.
	wordMax = 64
	// listMax bounds the words that a message lists.
	listMax = 8
)

// Nearest returns the known word that is nearest to word, or "" when none is
// near: one slip is allowed in short words, three at most in long ones. Case and
// the marks between words do not count as slips. The first of equals wins.
func Nearest(word string, known []string) string {
	best, bestSlips := "", slipsAllowed(word)+1
	for _, k := range known {
		if n := Slips(word, k); n < bestSlips {
			best, bestSlips = k, n
		}
	}
	return best
}

// Help says what would be right instead of word: the nearest known word, or
// else all of them. It is "" when nothing is known.
func Help(word string, known []string) string {
	if near := Nearest(word, known); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	switch len(known) {
	case 0:
		return ""
	case 1:
		return fmt.Sprintf("use %q", known[0])
	}
	return "use one of " + List(known)
}

// Defined is Help for words that the same document defines.
func Defined(word string, known []string) string {
	if near := Nearest(word, known); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	if len(known) == 0 {
		return "none is defined here"
	}
	return "defined here: " + List(known)
}

// List quotes words, separated by commas. Long lists are cut, and the last part
// says how many are missing.
func List(words []string) string {
	var b strings.Builder
	for i, w := range words {
		if i == listMax && len(words) > listMax+1 {
			fmt.Fprintf(&b, " … and %d more", len(words)-i)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%q", w)
	}
	return b.String()
}

// slipsAllowed is how far a word may be away and still be meant.
func slipsAllowed(word string) int {
	switch n := utf8.RuneCountInString(word); {
	case n > wordMax:
		return -1
	case n < 2:
		return 0
	case n < 6:
		return 1
	case n < 10:
		return 2
	}
	return 3
}

// Slips counts the letters to add, leave out, replace or swap with their
// neighbor to make b of a (the distance of Damerau and Levenshtein, each letter
// edited once). Words that differ in case or in their marks alone are 0 apart;
// words too long to compare are very far apart.
func Slips(a, b string) int {
	x, y := fold(a), fold(b)
	if len(x) > wordMax || len(y) > wordMax {
		return wordMax
	}
	before, last, row := make([]int, len(y)+1), make([]int, len(y)+1), make([]int, len(y)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(x); i++ {
		row[0] = i
		for j := 1; j <= len(y); j++ {
			replace := last[j-1]
			if x[i-1] != y[j-1] {
				replace++
			}
			row[j] = min(replace, last[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(y)]
}

// fold drops what is easily mistaken: case, and the marks between words.
func fold(word string) []rune {
	var folded []rune
	for _, r := range word {
		if r == '-' || r == '_' || r == ' ' {
			continue
		}
		folded = append(folded, unicode.ToLower(r))
		if len(folded) > wordMax {
			break
		}
	}
	return folded
}
