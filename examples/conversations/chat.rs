//! Conversations as they are recorded: one JSON object a line, in the chat form of language-model interfaces.

use agent_envelope::Kind;
use serde_json::Value;

/// One recorded conversation.
pub(crate) struct Conversation {
    /// The line of the file that holds it, from 1.
    pub(crate) line: usize,
    pub(crate) messages: usize,
    /// What was said, in order. A message with text and tool calls has several bodies.
    pub(crate) bodies: Vec<Body>,
}

/// One thing that was said: what travels as one element.
pub(crate) struct Body {
    /// Its place in the conversation, from 0.
    pub(crate) number: usize,
    pub(crate) kind: Kind,
    pub(crate) content_type: &'static str,
    pub(crate) bytes: Vec<u8>,
    /// The tool that is called, if it is a call.
    pub(crate) tool: Option<String>,
    /// What a call and its result have in common.
    pub(crate) call_id: Option<String>,
}

/// A user's request and all that happens until the next one.
#[derive(Default)]
pub(crate) struct Turn<'c> {
    /// What the user and the system say.
    pub(crate) opening: Vec<&'c Body>,
    /// Who works on it, in turn.
    pub(crate) steps: Vec<Step<'c>>,
    /// What the user is told in the end.
    pub(crate) closing: Vec<&'c Body>,
}

/// What one agent says before another goes on.
pub(crate) struct Step<'c> {
    pub(crate) by: Worker,
    pub(crate) bodies: Vec<&'c Body>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Worker {
    Planner,
    Tools,
}

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";

/// Sixteen hops is what a verifier takes by default; the app's is one of them.
const MAX_STEPS: usize = 14;
/// A summary refers to 64 elements at most.
const MAX_BODIES: usize = 60;
const MAX_BYTES: usize = 1 << 20;

/// Reads all conversations of a file. Errors say where, and what was expected.
pub(crate) fn parse(file: &str, bytes: &[u8]) -> Result<Vec<Conversation>, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let at = error.valid_up_to();
        format!("{file}: byte {at} is not UTF-8 text; expected {FORM}")
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut conversations = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if !line.trim().is_empty() {
            let line_number = index + 1;
            let conversation = conversation(line_number, line)
                .map_err(|error| format!("{file}, line {line_number}: {error}"))?;
            conversations.push(conversation);
        }
    }
    if conversations.is_empty() {
        return Err(format!("{file}: there is nothing in it; expected {FORM}"));
    }
    Ok(conversations)
}

const FORM: &str =
    "one JSON object a line, such as {\"messages\": [{\"role\": \"user\", \"content\": \"…\"}]}";

fn conversation(line: usize, text: &str) -> Result<Conversation, String> {
    let object: Value = serde_json::from_str(text).map_err(|error| {
        let (column, what) = (error.column(), error.to_string());
        let what = what.split(" at line ").next().unwrap_or("not JSON").to_owned();
        format!("not valid JSON at column {column} ({what}); expected {FORM}")
    })?;
    let messages = object
        .get("messages")
        .and_then(Value::as_array)
        .ok_or_else(|| format!("there is no list of \"messages\"; expected {FORM}"))?;
    let mut bodies = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        read_message(message, &mut bodies).map_err(|error| format!("message {index}: {error}"))?;
    }
    if bodies.is_empty() {
        return Err("no message says anything; expected at least one with \"content\"".to_owned());
    }
    Ok(Conversation { line, messages: messages.len(), bodies })
}

fn read_message(message: &Value, bodies: &mut Vec<Body>) -> Result<(), String> {
    let role = message.get("role").and_then(Value::as_str).ok_or_else(|| {
        "there is no \"role\"; expected system, user, assistant or tool".to_owned()
    })?;
    let kind = match role {
        "system" | "developer" => Kind::System,
        "user" => Kind::User,
        "assistant" => Kind::Assistant,
        "tool" => Kind::ToolResult,
        _ => {
            let role: String = role.chars().take(40).collect();
            return Err(format!("unknown role {role:?}; expected system, user, assistant or tool"));
        }
    };
    let id = |value: &Value, key| value.get(key).and_then(Value::as_str).map(str::to_owned);
    let mut push = |kind, content_type, bytes, tool, call_id| {
        bodies.push(Body { number: bodies.len(), kind, content_type, bytes, tool, call_id });
    };
    match message.get("content") {
        None | Some(Value::Null) => {}
        Some(Value::String(text)) => {
            push(kind, TEXT, text.clone().into_bytes(), None, id(message, "tool_call_id"));
        }
        // Text and images in parts; they travel as they are.
        Some(parts @ Value::Array(_)) => {
            push(kind, JSON, parts.to_string().into_bytes(), None, id(message, "tool_call_id"));
        }
        Some(_) => return Err("\"content\" must be text, a list of parts, or null".to_owned()),
    }
    match message.get("tool_calls") {
        None | Some(Value::Null) => {}
        Some(Value::Array(calls)) if kind == Kind::Assistant => {
            for call in calls {
                let tool = call.pointer("/function/name").and_then(Value::as_str);
                let tool = tool.unwrap_or("unknown").to_owned();
                let bytes = call.to_string().into_bytes();
                push(Kind::ToolCall, JSON, bytes, Some(tool), id(call, "id"));
            }
        }
        Some(Value::Array(_)) => return Err(format!("a message of role {role} calls tools")),
        Some(_) => return Err("\"tool_calls\" must be a list".to_owned()),
    }
    Ok(())
}

impl Conversation {
    /// Cuts the conversation where the user or the system speaks, and where one envelope could not hold more.
    pub(crate) fn turns(&self) -> Vec<Turn<'_>> {
        let mut turns = Vec::new();
        let mut turn = Turn::default();
        for body in &self.bodies {
            let opens = matches!(body.kind, Kind::User | Kind::System);
            let opened = !(turn.steps.is_empty() && turn.closing.is_empty());
            if (opens && opened) || turn.is_full(body) {
                turns.push(std::mem::take(&mut turn));
            }
            match body.kind {
                Kind::User | Kind::System => turn.opening.push(body),
                Kind::ToolCall => turn.work(Worker::Planner, body),
                Kind::ToolResult => turn.work(Worker::Tools, body),
                _ => turn.closing.push(body),
            }
        }
        turns.push(turn);
        turns
    }

    pub(crate) fn plain_size(&self) -> usize {
        self.bodies.iter().map(|body| body.bytes.len()).sum()
    }
}

impl<'c> Turn<'c> {
    fn work(&mut self, by: Worker, body: &'c Body) {
        // What an agent says before it works on is said on the way.
        for said in std::mem::take(&mut self.closing) {
            self.add_step(Worker::Planner, said);
        }
        self.add_step(by, body);
    }

    fn add_step(&mut self, by: Worker, body: &'c Body) {
        match self.steps.last_mut() {
            Some(step) if step.by == by => step.bodies.push(body),
            _ => self.steps.push(Step { by, bodies: vec![body] }),
        }
    }

    fn is_full(&self, body: &Body) -> bool {
        let bodies = || self.bodies().map(|body| body.bytes.len());
        // The next body may add two steps: words on the way, and work.
        self.steps.len() + 2 > MAX_STEPS
            || bodies().count() >= MAX_BODIES
            || (bodies().count() > 0 && bodies().sum::<usize>() + body.bytes.len() > MAX_BYTES)
    }

    /// Goes through what is said in the turn, in order.
    pub(crate) fn bodies(&self) -> impl Iterator<Item = &'c Body> + '_ {
        let steps = self.steps.iter().flat_map(|step| &step.bodies);
        self.opening.iter().chain(steps).chain(&self.closing).copied()
    }
}
