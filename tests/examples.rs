//! What the examples promise in their documentation.

#[path = "../examples/conversations/chat.rs"]
mod chat;

use agent_envelope::Kind;

#[test]
fn the_smallest_program_is_small() {
    let lines = include_str!("../examples/two_agents.rs").lines().count();
    assert!(lines < 60, "two_agents has {lines} lines");
}

#[track_caller]
fn refused(input: &[u8]) -> String {
    match chat::parse("talk.jsonl", input) {
        Ok(_) => panic!("accepted"),
        Err(error) => error,
    }
}

#[test]
fn bad_conversations_are_refused_by_file_line_and_expectation() {
    let form = "expected one JSON object a line, such as \
                {\"messages\": [{\"role\": \"user\", \"content\": \"…\"}]}";
    assert_eq!(refused(b""), format!("talk.jsonl: there is nothing in it; {form}"));
    assert_eq!(refused(b"\n \n"), format!("talk.jsonl: there is nothing in it; {form}"));
    assert_eq!(refused(b"{\"\xff"), format!("talk.jsonl: byte 2 is not UTF-8 text; {form}"));
    let good = r#"{"messages": [{"role": "user", "content": "hello"}]}"#;
    assert_eq!(
        refused(format!("{good}\n{}", &good[..20]).as_bytes()),
        format!(
            "talk.jsonl, line 2: not valid JSON at column 20 (EOF while parsing a string); {form}"
        )
    );
    assert_eq!(
        refused(format!("\n{good}\n{{}}").as_bytes()),
        format!("talk.jsonl, line 3: there is no list of \"messages\"; {form}")
    );
    for (message, expected) in [
        (
            r#"{"role": "robot", "content": "x"}"#,
            "unknown role \"robot\"; expected system, user, assistant or tool",
        ),
        (r#"{"content": "x"}"#, "there is no \"role\"; expected system, user, assistant or tool"),
        (r#"{"role": "user", "content": 5}"#, "\"content\" must be text, a list of parts, or null"),
        (r#"{"role": "user", "tool_calls": []}"#, "a message of role user calls tools"),
        (r#"{"role": "assistant", "tool_calls": 1}"#, "\"tool_calls\" must be a list"),
    ] {
        let line = format!("{{\"messages\": [{message}]}}");
        let error = refused(line.as_bytes());
        assert_eq!(error, format!("talk.jsonl, line 1: message 0: {expected}"));
    }
    assert_eq!(
        refused(br#"{"messages": []}"#),
        "talk.jsonl, line 1: no message says anything; expected at least one with \"content\""
    );
}

#[test]
fn turns_hold_every_body_once_and_in_order() {
    let call =
        r#"{"role": "assistant", "content": "so", "tool_calls": [{"id": "a"}, {"id": "b"}]}"#;
    let result = r#"{"role": "tool", "content": "42", "tool_call_id": "a"}"#;
    let messages = [
        r#"{"role": "assistant", "content": "welcome"}"#,
        r#"{"role": "user", "content": "hello"}"#,
        &[call, result].repeat(40).join(","),
        &[result].repeat(150).join(","),
        r#"{"role": "assistant", "content": "done"}"#,
        r#"{"role": "user", "content": "bye"}"#,
    ];
    let line = format!("{{\"messages\": [{}]}}", messages.join(","));
    let conversations = chat::parse("talk.jsonl", line.as_bytes()).expect("it is well formed");
    let [conversation] = &conversations[..] else { panic!("one line, one conversation") };
    assert_eq!((conversation.line, conversation.messages), (1, 2 + 80 + 150 + 2));
    let turns = conversation.turns();
    let mut numbers = Vec::new();
    for turn in &turns {
        assert!(turn.steps.len() <= 14, "one envelope has 16 hops at most");
        assert!(turn.bodies().count() <= 64, "a summary refers to 64 elements at most");
        numbers.extend(turn.bodies().map(|body| body.number));
        assert!(turn.steps.windows(2).all(|pair| pair[0].by != pair[1].by));
    }
    assert!(numbers.iter().copied().eq(0..conversation.bodies.len()));
    let texts = |kind| conversation.bodies.iter().filter(move |body| body.kind == kind);
    let size: usize = conversation.bodies.iter().map(|body| body.bytes.len()).sum();
    assert_eq!(conversation.plain_size(), size);
    assert_eq!(texts(Kind::ToolCall).count(), 80);
    assert!(texts(Kind::ToolCall).all(|body| body.tool.as_deref() == Some("unknown")));
    assert!(texts(Kind::ToolResult).all(|body| body.call_id.as_deref() == Some("a")));
    assert!(texts(Kind::User).all(|body| body.content_type == "text/plain; charset=utf-8"));
}
