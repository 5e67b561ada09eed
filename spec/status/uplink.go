package status

// Uplink is an interface that the kernel of an l4 node takes packets of VIPs from.
type Uplink struct {
	Interface string `json:"interface"`
	// Attached says whether the program is on it now.
	Attached bool `json:"attached"`
	// Generic says that the kernel runs the program for the driver, which is slower.
	Generic bool `json:"generic,omitempty"`
	// Reason says why it is not attached.
	Reason string `json:"reason,omitempty"`
}
