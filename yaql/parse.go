package yaql

import "strconv"

// maxDepth bounds how deep an expression, and the values it makes, may be nested.
const maxDepth = 500

// Expression is a parsed expression; it may be evaluated any number of times, at the same time too.
type Expression struct {
	text string
	root node
}

// String gives the expression's text.
func (e *Expression) String() string { return e.text }

// Parse reads an expression. The error is an *Error.
func Parse(expression string) (*Expression, error) {
	ts, err := tokens(expression)
	if err != nil {
		return nil, err
	}
	p := &parser{tokens: ts, known: map[string]*names{}}
	root, err := p.expression(0)
	if err != nil {
		return nil, err
	}
	if t := p.peek(); t.kind != tokenEnd {
		return nil, p.unexpected(t)
	}
	return &Expression{text: expression, root: root}, nil
}

type parser struct {
	tokens []token
	at     int
	depth  int
	known  map[string]*names // the functions named so far
}

func (p *parser) peek() token { return p.tokens[p.at] }

func (p *parser) take() token {
	t := p.tokens[p.at]
	if t.kind != tokenEnd {
		p.at++
	}
	return t
}

func (p *parser) is(symbol string) bool {
	t := p.peek()
	return t.kind == tokenSymbol && t.text == symbol
}

func (p *parser) expect(symbol string) error {
	if !p.is(symbol) {
		return p.unexpected(p.peek())
	}
	p.take()
	return nil
}

func (p *parser) unexpected(t token) error {
	if t.kind == tokenEnd {
		return &Error{Offset: t.offset, Message: "the expression ends too soon"}
	}
	return &Error{Offset: t.offset, Message: "unexpected " + strconv.Quote(t.text)}
}

// How tightly operators bind, loosest first.
const (
	bindSend = iota + 1
	bindOr
	bindAnd
	bindNot
	bindCompare
	bindAdd
	bindMultiply
	bindMatch
	bindSign
	bindIndex
	bindDot
)

func binding(t token) int {
	if t.kind != tokenSymbol {
		return 0
	}
	switch t.text {
	case "->":
		return bindSend
	case "or":
		return bindOr
	case "and":
		return bindAnd
	case ">", "<", ">=", "<=", "!=", "=", "in":
		return bindCompare
	case "+", "-":
		return bindAdd
	case "*", "/", "mod":
		return bindMultiply
	case "=~", "!~":
		return bindMatch
	case "[":
		return bindIndex
	case ".", "?.":
		return bindDot
	}
	return 0
}

// expression reads as long as operators bind at least as tightly as least.
func (p *parser) expression(least int) (node, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, &Error{Offset: p.peek().offset, Message: "the expression is nested too deep"}
	}
	defer func() { p.depth-- }()
	left, err := p.operand()
	if err != nil {
		return nil, err
	}
	for n := 0; ; n++ {
		t := p.peek()
		b := binding(t)
		if b == 0 || b < least {
			return left, nil
		}
		if n > 20*maxDepth { // a chain nests to the left, and is evaluated from within
			return nil, &Error{Offset: t.offset, Message: "the expression is nested too deep"}
		}
		p.take()
		if t.text == "[" {
			args, err := p.arguments("]")
			if err != nil {
				return nil, err
			}
			left = &indexNode{place(t.offset), left, args}
			continue
		}
		next := b + 1 // left to right
		if b == bindSend {
			next = b
		}
		right, err := p.expression(next)
		if err != nil {
			return nil, err
		}
		left = &binaryNode{place(t.offset), t.text, left, right}
	}
}

func (p *parser) operand() (node, error) {
	t := p.take()
	switch t.kind {
	case tokenNumber, tokenText, tokenLiteral:
		return &constantNode{place(t.offset), t.value, false}, nil
	case tokenWord:
		return &constantNode{place(t.offset), t.value, true}, nil
	case tokenVariable:
		return newVariable(t), nil
	case tokenCall:
		args, err := p.arguments(")")
		if err != nil {
			return nil, err
		}
		return &callNode{place(t.offset), t.text, args, p.names(t.text)}, nil
	case tokenSymbol:
		return p.symbol(t)
	case tokenEnd:
	}
	return nil, p.unexpected(t)
}

func (p *parser) symbol(t token) (node, error) {
	switch t.text {
	case "+", "-", "not":
		b := bindSign
		if t.text == "not" {
			b = bindNot
		}
		v, err := p.expression(b)
		if err != nil {
			return nil, err
		}
		return &unaryNode{place(t.offset), t.text, v}, nil
	case "(":
		v, err := p.expression(0)
		if err != nil {
			return nil, err
		}
		return &wrapNode{place(t.offset), v}, p.expect(")")
	case "[":
		args, err := p.arguments("]")
		return &listNode{place(t.offset), args}, err
	case "{":
		args, err := p.arguments("}")
		return &dictNode{place(t.offset), args}, err
	}
	return nil, p.unexpected(t)
}

// arguments reads up to the closing bracket: positions first, some of them left out, then key => value.
func (p *parser) arguments(closing string) ([]argument, error) {
	if p.is(closing) {
		p.take()
		return nil, nil
	}
	var out []argument
	named := false
	for {
		if p.is(",") && !named {
			out = append(out, argument{})
			p.take()
			continue
		}
		v, err := p.expression(0)
		if err != nil {
			return nil, err
		}
		a := argument{value: v}
		if p.is("=>") {
			p.take()
			named = true
			value, err := p.expression(0)
			if err != nil {
				return nil, err
			}
			a = argument{key: v, value: value}
		} else if named {
			return nil, &Error{Offset: v.offset(), Message: "an argument without a name follows one with a name"}
		}
		out = append(out, a)
		if !p.is(",") {
			return out, p.expect(closing)
		}
		p.take()
	}
}

func (p *parser) names(name string) *names {
	if n, ok := p.known[name]; ok {
		return n
	}
	n := lookup(name)
	p.known[name] = n
	return n
}
