package spec

// Source is one document of a spec as it was written.
type Source struct {
	// Name is the absolute file name, or a word in angle brackets, such as
	// <stdin>, for text that is in no file.
	Name string `json:"name"`
	// Dir is what relative paths in the text are relative to; empty means the
	// folder that Name is in, or the working directory when Name is no file.
	Dir  string `json:"dir,omitempty"`
	Text []byte `json:"text"`
}

// Located is a problem and where it was written. File is "" when it was written
// nowhere; lines and columns count from 1, columns in characters.
type Located struct {
	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
	Problem
}
