package exchange

// Idle reports that no request is going on.
func (m *Machine) Idle() bool { return m.mem == nil && !m.closed }

// Tunnel reports that the connection carries another protocol now.
func (m *Machine) Tunnel() bool { return m.up == upTunnel }
