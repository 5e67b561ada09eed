package demo

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"portico/demo/app"
	"portico/internal/suggest"
	"portico/node"
	"portico/spec"
)

// part is a node or a target, killed or running.
type part struct {
	name string // east/l7-1, east/shop-2
	site spec.SiteName

	// A node of the spec.
	is      *spec.Node
	node    *node.Node // nil when killed
	metrics *prometheus.Registry
	cancel  context.CancelFunc
	done    chan struct{}

	// A target.
	target spec.Target
	group  spec.TargetGroupName
	server *app.Server // nil when killed
}

// plan lists the parts of the demo's spec from the end of the path to its start,
// so that nothing is probed before it was started.
func plan(want *spec.Spec) []*part {
	var parts []*part
	for _, g := range want.TargetGroups {
		for _, t := range g.Targets {
			parts = append(parts, &part{name: t.Name, site: t.Site, target: t, group: g.Name})
		}
	}
	for _, role := range []spec.Role{spec.RoleL7, spec.RoleL4, spec.RoleDNS} {
		for i := range want.Sites {
			site := &want.Sites[i]
			for _, n := range site.With(role) {
				short := strings.TrimPrefix(string(n.Name), string(site.Name)+"-")
				parts = append(parts, &part{name: string(site.Name) + "/" + short, site: site.Name, is: n})
			}
		}
	}
	return parts
}

func (p *part) running() bool { return p.node != nil || p.server != nil }

func (d *Demo) start(p *part) error {
	if p.is != nil {
		return d.startNode(p)
	}
	return d.startTarget(p)
}

func (d *Demo) startNode(p *part) error {
	registry := prometheus.NewRegistry()
	n := node.New(node.Options{
		Name:      p.is.Name,
		Log:       d.log,
		AccessLog: d.access,
		Metrics:   prometheus.WrapRegistererWith(prometheus.Labels{"node": string(p.is.Name)}, registry),
	})
	if err := n.Apply(d.want); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(d.ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := n.Run(ctx); err != nil {
			d.log.Error("node ended", "node", p.is.Name, "error", err)
		}
	}()
	p.node, p.metrics, p.cancel, p.done = n, registry, cancel, done
	return nil
}

func (d *Demo) startTarget(p *part) (err error) {
	addr := p.target.Address
	switch p.group {
	case "echo":
		p.server, err = app.Echo(p.name, addr.String())
	case "shop":
		internal := d.want.VIP("internal").Addresses[p.site][0]
		shop := app.NewShop(p.name, addr.Addr().String(), internal.String()+":8080")
		p.server, err = app.HTTP(p.name, addr.String(), shop.Handler())
	default:
		p.server, err = app.HTTP(p.name, addr.String(), app.Named(p.name))
	}
	return err
}

// cut ends a part at once: all its sockets are reset.
func (p *part) cut() {
	if p.server != nil {
		p.server.Cut()
		p.server = nil
	}
	if p.node != nil {
		p.node.Cut()
		p.cancel()
		<-p.done
		p.node, p.metrics = nil, nil
	}
}

// Kill ends a part, or all parts of a site, at once.
func (d *Demo) Kill(name string) (string, error) {
	return d.drill(name, "killed", func(p *part) error {
		p.cut()
		return nil
	}, true)
}

// Heal brings back a part, or all parts of a site.
func (d *Demo) Heal(name string) (string, error) { return d.drill(name, "healed", d.start, false) }

// drill does something to each named part that is running, or that is not.
func (d *Demo) drill(name, did string, do func(*part) error, running bool) (string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	parts := d.named(name)
	if len(parts) == 0 {
		known := d.names()
		return "", fmt.Errorf("no part of the demo is named %q; %s", name, suggest.Help(name, known))
	}
	var done []string
	for _, p := range parts {
		if p.running() != running {
			continue
		}
		if err := do(p); err != nil {
			return "", fmt.Errorf("%s: %w", p.name, err)
		}
		done = append(done, p.name)
	}
	if len(done) == 0 {
		return fmt.Sprintf("%s was %s already", name, did), nil
	}
	d.log.Warn("demo: "+did, "parts", strings.Join(done, " "))
	return did + " " + strings.Join(done, ", "), nil
}

// named lists the part of that name, or all parts of the site of that name.
func (d *Demo) named(name string) []*part {
	var parts []*part
	for _, p := range d.parts {
		if p.name == name || string(p.site) == name || (p.is != nil && string(p.is.Name) == name) {
			parts = append(parts, p)
		}
	}
	return parts
}

func (d *Demo) names() []string {
	var names []string
	for _, p := range d.parts {
		names = append(names, p.name, string(p.site))
	}
	sort.Strings(names)
	return slices.Compact(names)
}
