package tidy

import (
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Fence is one fenced block of a Markdown file.
type Fence struct {
	Path string
	Line int    // of the first line inside, from 1
	Info string // what follows the opening marks, such as "yaml"
	Text string
}

// fences lists the fenced blocks of a document.
func (d *document) fences() []Fence {
	var fences []Fence
	open := ""
	for i, line := range d.lines {
		trimmed := strings.TrimSpace(line)
		marks := trimmed[:len(trimmed)-len(strings.TrimLeft(trimmed, "`"))]
		switch {
		case open != "" && trimmed == open:
			open = ""
		case open != "":
			f := &fences[len(fences)-1]
			f.Text += line + "\n"
		case len(marks) >= 3:
			open = marks
			fences = append(fences, Fence{Path: d.path, Line: i + 2, Info: strings.TrimSpace(trimmed[len(marks):])})
		}
	}
	return fences
}

// prose yields the lines outside of fences, with their numbers from 1.
func (d *document) prose(yield func(int, string) bool) {
	inside := map[int]bool{}
	for _, f := range d.fences() {
		for i := range strings.Count(f.Text, "\n") + 2 {
			inside[f.Line-1+i] = true
		}
	}
	for i, line := range d.lines {
		if !inside[i+1] && !yield(i+1, line) {
			return
		}
	}
}

// headings lists the headings of a document without their marks.
func (d *document) headings() []string {
	var heads []string
	for _, line := range d.prose {
		if marks, text, ok := strings.Cut(line, " "); ok && marks != "" && strings.Trim(marks, "#") == "" {
			heads = append(heads, strings.TrimSpace(text))
		}
	}
	return heads
}

var (
	linkPattern   = regexp.MustCompile(`!?\[[^\]]*\]\(([^)\s]+)(?:\s+"[^"]*")?\)`)
	codePattern   = regexp.MustCompile("`[^`]*`")
	anchorPattern = regexp.MustCompile(`[^\p{L}\p{N} _-]+`)
)

// checkLinks follows every link that stays in the tree, to the heading.
func checkLinks(t *tree) []Finding {
	var found []Finding
	for _, d := range t.docs {
		for n, line := range d.prose {
			for _, m := range linkPattern.FindAllStringSubmatch(codePattern.ReplaceAllString(line, ""), -1) {
				if what := t.linkProblem(d, m[1]); what != "" {
					found = append(found, findingf(d.path, n, "%s", what))
				}
			}
		}
	}
	return found
}

func (t *tree) linkProblem(from *document, link string) string {
	if strings.Contains(link, "://") || strings.HasPrefix(link, "mailto:") {
		return ""
	}
	file, anchor, _ := strings.Cut(link, "#")
	target := from.path
	if file != "" {
		target = path.Join(path.Dir(from.path), file)
	}
	if _, err := fs.Stat(t.root, target); err != nil {
		return "the link to " + link + " leads nowhere: no " + target
	}
	if anchor == "" {
		return ""
	}
	to := t.doc(target)
	if to == nil || !slices.ContainsFunc(to.headings(), func(h string) bool { return slug(h) == anchor }) {
		return "the link to " + link + " leads nowhere: " + target + " has no such heading"
	}
	return ""
}

// slug is the anchor that the common renderers give a heading.
func slug(heading string) string {
	return strings.ReplaceAll(anchorPattern.ReplaceAllString(strings.ToLower(heading), ""), " ", "-")
}

// readmeSections are what a visitor looks for.
func readmeSections() []string { return []string{"Try it", "Use it", "How it is built", "Status"} }

func checkReadme(t *tree) []Finding { return missingSections(t, "README.md", readmeSections()) }

// missingSections finds none where the document itself is missing.
func missingSections(t *tree, p string, sections []string) []Finding {
	d := t.doc(p)
	if d == nil {
		return nil
	}
	var found []Finding
	heads := d.headings()
	for _, s := range sections {
		if !slices.Contains(heads, s) {
			found = append(found, findingf(p, 0, "has no section %q", s))
		}
	}
	return found
}

// decisionSections are the parts of a decision.
func decisionSections() []string {
	return []string{"Context", "Goals", "Non-goals", "Decision", "Alternatives", "How we will know it was wrong"}
}

var decisionPattern = regexp.MustCompile(`^[0-9]{4}-[a-z0-9-]+\.md$`)

func checkDecisions(t *tree) []Finding {
	var found []Finding
	taken := map[string]string{}
	for _, d := range t.docs {
		if path.Dir(d.path) != "docs/design" {
			continue
		}
		base := path.Base(d.path)
		if !decisionPattern.MatchString(base) {
			found = append(found, findingf(d.path, 0, "is not named 0007-like-this.md"))
			continue
		}
		if other := taken[base[:4]]; other != "" {
			found = append(found, findingf(d.path, 0, "has the number of %s", other))
		}
		taken[base[:4]] = d.path
		found = append(found, missingSections(t, d.path, decisionSections())...)
	}
	return found
}

var changePattern = regexp.MustCompile(`^(New|Fix|Change|Security): [^ ].*[^.]$`)

func checkChanges(t *tree) []Finding {
	var found []Finding
	for _, d := range t.docs {
		if path.Dir(d.path) == "changes" && path.Base(d.path) != "README.md" && !changePattern.MatchString(d.lines[0]) {
			found = append(found, findingf(d.path, 1, `begins with %q; a fragment begins with "New: ", "Fix: ", "Change: " or "Security: " and a line without a full stop`, d.lines[0]))
		}
	}
	return found
}
