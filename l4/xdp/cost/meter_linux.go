package cost

import (
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"

	"portico/l4/xdp"
)

// Meter runs packets through programs.
type Meter struct {
	objects meterObjects
}

// NewMeter loads what it needs. Who calls it closes it.
func NewMeter() (*Meter, error) {
	m := &Meter{}
	if err := loadMeterObjects(&m.objects, nil); err != nil {
		return nil, fmt.Errorf("cost: load: %w", err)
	}
	return m, nil
}

// Close lets go of everything.
func (m *Meter) Close() error { return m.objects.Close() }

// Kernel measures the balancer.
func (m *Meter) Kernel(k *xdp.Kernel, s Shape, packets int) (Reading, error) {
	return m.run(uint32(k.FD()), s, packets)
}

// Bare measures a program that only sends.
func (m *Meter) Bare(s Shape, packets int) (Reading, error) {
	return m.run(uint32(m.objects.Bare.FD()), s, packets)
}

func (m *Meter) run(program uint32, s Shape, packets int) (Reading, error) {
	shape, head := s.encode()
	err := errors.Join(
		m.objects.Measured.Put(uint32(0), program),
		m.objects.Shapes.Put(uint32(0), &shape),
		m.objects.Sent.Put(uint32(0), uint32(0)),
	)
	if err != nil {
		return Reading{}, fmt.Errorf("cost: %w", err)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	count := instructions()
	// The kernel gives the time of one packet, in whole nanoseconds.
	verdict, took, err := m.objects.Cost.Benchmark(make([]byte, head), packets, nil)
	if err != nil {
		count()
		return Reading{}, fmt.Errorf("cost: %w", err)
	}
	return Reading{Time: took, Instructions: float64(count()) / float64(packets), Verdict: verdict}, nil
}

func (s Shape) encode() (meterShape, int) {
	a := s.VIP.Addr()
	shape := meterShape{Family: 4, Flags: s.Flags, Flows: uint32(s.Flows), First: uint32(s.First)}
	head := 14 + 20 + 20
	if a.Is6() {
		shape.Family, head = 6, 14+40+20
	}
	for i, b := 0, a.AsSlice(); i < len(b); i += 4 {
		shape.Vip[i/4] = binary.LittleEndian.Uint32(b[i:])
	}
	shape.Port = s.VIP.Port()<<8 | s.VIP.Port()>>8
	bytes := s.Bytes
	if bytes == 0 {
		bytes = head + 64
	}
	shape.Bytes = uint16(bytes)
	return shape, bytes
}

// instructions begins to count those of this thread, in the kernel; what it returns
// ends it. It gives 0 where the machine does not count.
func instructions() (end func() uint64) {
	attr := unix.PerfEventAttr{
		Type: unix.PERF_TYPE_HARDWARE, Config: unix.PERF_COUNT_HW_INSTRUCTIONS,
		Size: uint32(unix.PERF_ATTR_SIZE_VER5), Bits: unix.PerfBitExcludeUser,
	}
	fd, err := unix.PerfEventOpen(&attr, 0, -1, -1, unix.PERF_FLAG_FD_CLOEXEC)
	if err != nil {
		return func() uint64 { return 0 }
	}
	return func() uint64 {
		defer func() { _ = unix.Close(fd) }()
		var b [8]byte
		if n, err := unix.Read(fd, b[:]); err != nil || n != 8 {
			return 0
		}
		return binary.LittleEndian.Uint64(b[:])
	}
}
