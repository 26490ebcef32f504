package ansible

// head keeps the first max bytes and notes whether there were more. It never
// refuses a write: a full buffer must not break the child's pipe.
type head struct {
	max  int
	data []byte
	over bool
}

func (h *head) Write(p []byte) (int, error) {
	room := h.max - len(h.data)
	h.over = h.over || len(p) > room
	h.data = append(h.data, p[:min(room, len(p))]...)
	return len(p), nil
}

// tail keeps the last max bytes: what ended a command stands last.
type tail struct {
	max  int
	data []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.data = append(t.data, p...)
	if len(t.data) > 2*t.max {
		t.data = append(t.data[:0], t.data[len(t.data)-t.max:]...)
	}
	return len(p), nil
}

func (t *tail) bytes() []byte { return t.data[max(0, len(t.data)-t.max):] }
