package notice

import "strings"

// Messages for chats. Every text of ours is plain text there: names of clients, tools and
// objects are others' choice, and in a chat's markup they could be links or mention people.

type object = map[string]any

// slack is a message for an incoming webhook of Slack (Block Kit).
func slack(m *Message) object {
	text := func(s string) object { return object{"type": "plain_text", "text": s, "emoji": false} }
	blocks := []object{{"type": "header", "text": text(cut(m.Title(), 150))}}
	if lines := m.Lines(); len(lines) > 0 {
		var fields []object
		for _, line := range lines {
			fields = append(fields, text(cut(line[0]+": "+line[1], 2000)))
		}
		blocks = append(blocks, object{"type": "section", "fields": fields})
	}
	if m.URL != "" {
		blocks = append(blocks, object{"type": "actions", "elements": []object{
			{"type": "button", "text": text("Open"), "url": m.URL, "action_id": "open"},
		}})
	}
	// text stands in notifications; there & < > are markup.
	return object{"text": strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(m.Title()), "blocks": blocks}
}

// teams is a message for a webhook of Teams Workflows: an Adaptive Card. A TextBlock reads
// Markdown, a TextRun does not.
func teams(m *Message) object {
	line := func(runs ...object) object { return object{"type": "RichTextBlock", "inlines": runs} }
	body := []object{line(object{"type": "TextRun", "text": m.Title(), "weight": "Bolder", "size": "Medium"})}
	for _, l := range m.Lines() {
		body = append(body, line(object{"type": "TextRun", "text": l[0] + ": ", "weight": "Bolder"}, object{"type": "TextRun", "text": l[1]}))
	}
	card := object{"type": "AdaptiveCard", "$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "version": "1.4", "body": body}
	if m.URL != "" {
		card["actions"] = []object{{"type": "Action.OpenUrl", "title": "Open", "url": m.URL}}
	}
	return object{"type": "message", "attachments": []object{{"contentType": "application/vnd.microsoft.card.adaptive", "content": card}}}
}

// cut shortens s to n characters.
func cut(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}
