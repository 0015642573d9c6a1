//! Puts all mutants of a crate into one program, of which an environment variable chooses one.
//!
//!     schemata MUTANTS.json CRATE OUT [EXCLUDED-IDS [CONST-FNS]]
//!
//! MUTANTS.json is what `cargo mutants --list --json` says; OUT is a copy of CRATE whose src/ is overwritten here.
use proc_macro2::{LineColumn, Span};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::{env, fmt::Write as _, fs, path::Path};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

/// A file, a line and a column, as the list of mutants has them.
type At = (String, usize, usize);
/// Text that takes the place of a range.
type Edit = (usize, usize, String);

#[derive(Debug)]
enum Kind {
    /// `if on(id) { return VALUE; }` for each.
    Return(Vec<(usize, String)>),
    /// The expression's text with some ranges replaced, for each; else the expression with what is inside mutated.
    Instead(Vec<(usize, Vec<Edit>)>),
    /// Text put before and after.
    Around(Vec<usize>, String, String),
    Remove,
}

#[derive(Debug)]
struct Node {
    start: usize,
    end: usize,
    kind: Kind,
}

struct File<'a> {
    text: &'a str,
    lines: Vec<usize>,
    name: &'a str,
    wanted: &'a HashMap<At, Vec<(usize, String, String)>>,
    keep_const: &'a BTreeSet<String>,
    excluded: &'a BTreeSet<usize>,
    nodes: Vec<Node>,
    placed: BTreeSet<usize>,
    in_const: usize,
}

impl File<'_> {
    fn offset(&self, at: LineColumn) -> usize {
        let line = self.lines[at.line - 1];
        let rest = &self.text[line..];
        line + rest.char_indices().nth(at.column).map_or(rest.len(), |(i, _)| i)
    }

    fn range(&self, span: Span) -> (usize, usize) {
        (self.offset(span.start()), self.offset(span.end()))
    }

    /// The mutants of a genre that start there.
    fn at(&mut self, genre: &str, span: Span) -> Vec<(usize, String)> {
        let start = span.start();
        let key = (self.name.to_owned(), start.line, start.column + 1);
        let found = self.wanted.get(&key).into_iter().flatten();
        let found: Vec<_> = found
            .into_iter()
            .filter(|(id, g, _)| g == genre && !self.excluded.contains(id))
            .map(|(id, _, replacement)| (*id, replacement.clone()))
            .collect();
        if self.in_const > 0 {
            return Vec::new();
        }
        self.placed.extend(found.iter().map(|(id, _)| *id));
        found
    }

    fn push(&mut self, (start, end): (usize, usize), kind: Kind) {
        self.nodes.push(Node { start, end, kind });
    }

    fn function(&mut self, sig: &syn::Signature, block: &syn::Block) {
        let constant = sig.constness.filter(|_| {
            let ident = sig.ident.to_string();
            self.keep_const.contains(&ident)
                || self.keep_const.contains(&format!("{}:{ident}", self.name))
        });
        if let (Some(token), None) = (sig.constness, constant) {
            let range = self.range(token.span());
            self.push(range, Kind::Remove);
        }
        self.in_const += usize::from(constant.is_some());
        let first = block.stmts.first().map_or(block.brace_token.span.close(), Spanned::span);
        // Behind `impl Trait` there is one type: an iterator that is either.
        let opaque = matches!(&sig.output, syn::ReturnType::Type(_, t) if Opaque::is_in(t));
        let mut found = self.at("FnValue", first);
        if opaque {
            let range = (
                self.range(block.brace_token.span.open()).1,
                self.range(block.brace_token.span.close()).0,
            );
            for (id, value) in found.drain(..) {
                let prefix = format!(
                    " if {} {{ crate::mutation::Either::Left({value}) }} else {{ crate::mutation::Either::Right({{",
                    on(id)
                );
                self.push(range, Kind::Around(vec![id], prefix, "}) }".to_owned()));
            }
        }
        if !found.is_empty() {
            let open = self.range(block.brace_token.span.open()).1;
            self.push((open, open), Kind::Return(found));
        }
        visit::visit_block(self, block);
        self.in_const -= usize::from(constant.is_some());
    }

    fn constant(&mut self, visit: impl FnOnce(&mut Self)) {
        self.in_const += 1;
        visit(self);
        self.in_const -= 1;
    }

    /// All mutants of operators of a tree of binary expressions, as changes of its text.
    fn chain(&mut self, e: &syn::ExprBinary, out: &mut Vec<(usize, Vec<Edit>)>) {
        for (id, replacement) in self.at("BinaryOperator", e.op.span()) {
            let (s, t) = self.range(e.op.span());
            out.push((id, vec![(s, t, replacement)]));
        }
        for side in [&*e.left, &*e.right] {
            if let syn::Expr::Binary(inner) = side {
                self.chain(inner, out);
            }
        }
    }

    fn leaves(&mut self, e: &syn::ExprBinary) {
        for side in [&*e.left, &*e.right] {
            match side {
                syn::Expr::Binary(inner) => self.leaves(inner),
                other => self.visit_expr(other),
            }
        }
    }
}

fn has_let(e: &syn::Expr) -> bool {
    match e {
        syn::Expr::Let(_) => true,
        syn::Expr::Binary(b) => has_let(&b.left) || has_let(&b.right),
        _ => false,
    }
}

fn on(id: usize) -> String {
    format!("crate::mutation::on({id})")
}

impl<'ast> Visit<'ast> for File<'_> {
    fn visit_item_fn(&mut self, f: &'ast syn::ItemFn) {
        self.function(&f.sig, &f.block);
    }

    fn visit_impl_item_fn(&mut self, f: &'ast syn::ImplItemFn) {
        self.function(&f.sig, &f.block);
    }

    fn visit_trait_item_fn(&mut self, f: &'ast syn::TraitItemFn) {
        if let Some(block) = &f.default {
            self.function(&f.sig, block);
        }
    }

    fn visit_item_const(&mut self, i: &'ast syn::ItemConst) {
        self.constant(|v| visit::visit_item_const(v, i));
    }

    fn visit_item_static(&mut self, i: &'ast syn::ItemStatic) {
        self.constant(|v| visit::visit_item_static(v, i));
    }

    fn visit_impl_item_const(&mut self, i: &'ast syn::ImplItemConst) {
        self.constant(|v| visit::visit_impl_item_const(v, i));
    }

    fn visit_trait_item_const(&mut self, i: &'ast syn::TraitItemConst) {
        self.constant(|v| visit::visit_trait_item_const(v, i));
    }

    fn visit_type(&mut self, t: &'ast syn::Type) {
        self.constant(|v| visit::visit_type(v, t));
    }

    fn visit_generic_argument(&mut self, a: &'ast syn::GenericArgument) {
        self.constant(|v| visit::visit_generic_argument(v, a));
    }

    fn visit_pat(&mut self, p: &'ast syn::Pat) {
        self.constant(|v| visit::visit_pat(v, p));
    }

    fn visit_variant(&mut self, p: &'ast syn::Variant) {
        self.constant(|v| visit::visit_variant(v, p));
    }

    fn visit_expr_const(&mut self, e: &'ast syn::ExprConst) {
        self.constant(|v| visit::visit_expr_const(v, e));
    }

    fn visit_expr_repeat(&mut self, e: &'ast syn::ExprRepeat) {
        self.visit_expr(&e.expr);
        self.constant(|v| v.visit_expr(&e.len));
    }

    fn visit_expr_binary(&mut self, e: &'ast syn::ExprBinary) {
        let whole = syn::Expr::Binary(e.clone());
        if has_let(&whole) {
            return visit::visit_expr_binary(self, e);
        }
        let mut instead = Vec::new();
        self.chain(e, &mut instead);
        if !instead.is_empty() {
            let range = self.range(e.span());
            self.push(range, Kind::Instead(instead));
        }
        self.leaves(e);
    }

    fn visit_expr_unary(&mut self, e: &'ast syn::ExprUnary) {
        let (s, t) = self.range(e.op.span());
        let found = self.at("UnaryOperator", e.op.span());
        if !found.is_empty() {
            let range = self.range(e.span());
            let instead = found.into_iter().map(|(id, _)| (id, vec![(s, t, String::new())]));
            self.push(range, Kind::Instead(instead.collect()));
        }
        visit::visit_expr_unary(self, e);
    }

    fn visit_expr_struct(&mut self, e: &'ast syn::ExprStruct) {
        let mut instead = Vec::new();
        for pair in e.fields.pairs() {
            let field = pair.value();
            for (id, _) in self.at("StructField", field.span()) {
                let (s, mut t) = self.range(field.span());
                if let Some(comma) = pair.punct() {
                    t = self.range(comma.span()).1;
                }
                instead.push((id, vec![(s, t, String::new())]));
            }
        }
        if !instead.is_empty() {
            let range = self.range(e.span());
            self.push(range, Kind::Instead(instead));
        }
        visit::visit_expr_struct(self, e);
    }

    fn visit_arm(&mut self, arm: &'ast syn::Arm) {
        let deleted = self.at("MatchArm", arm.span());
        let mut ids: Vec<_> = deleted.iter().map(|(id, _)| *id).collect();
        let not = |ids: &[usize]| {
            ids.iter().fold(String::new(), |mut s, id| {
                write!(s, "!{} && ", on(*id)).expect("a string");
                s
            })
        };
        match &arm.guard {
            None if ids.is_empty() => {}
            None => {
                let arrow = self.range(arm.fat_arrow_token.span()).0;
                let text = format!(" if {} true ", not(&ids));
                self.push((arrow, arrow), Kind::Around(ids, text, String::new()));
            }
            Some((_, guard)) => {
                let range = self.range(guard.span());
                let mut prefix = not(&ids);
                let mut suffix = String::new();
                if has_let(guard) {
                    self.push(range, Kind::Around(ids, prefix, suffix));
                } else {
                    for (id, replacement) in self.at("MatchArmGuard", guard.span()) {
                        ids.push(id);
                        match replacement.as_str() {
                            "true" => write!(prefix, "({} || (", on(id)),
                            _ => write!(prefix, "(!{} && (", on(id)),
                        }
                        .expect("a string");
                        suffix.push_str("))");
                    }
                    if !ids.is_empty() {
                        prefix.push('(');
                        suffix.push(')');
                        self.push(range, Kind::Around(ids, prefix, suffix));
                    }
                }
            }
        }
        visit::visit_arm(self, arm);
    }
}

struct Opaque(bool);

impl Opaque {
    fn is_in(t: &syn::Type) -> bool {
        let mut found = Self(false);
        found.visit_type(t);
        found.0
    }
}

impl<'ast> Visit<'ast> for Opaque {
    fn visit_type_impl_trait(&mut self, _: &'ast syn::TypeImplTrait) {
        self.0 = true;
    }
}

struct Output<'a> {
    text: &'a str,
    out: String,
    regions: Vec<(usize, usize, usize)>,
}

impl Output<'_> {
    fn render(&mut self, mut from: usize, to: usize, nodes: &[Node]) {
        let mut i = 0;
        while i < nodes.len() {
            let node = &nodes[i];
            let mut next = i + 1;
            while next < nodes.len() && nodes[next].start < node.end {
                assert!(nodes[next].end <= node.end, "{:?} {:?}", node, nodes[next]);
                next += 1;
            }
            let inner = &nodes[i + 1..next];
            self.out.push_str(&self.text[from..node.start]);
            match &node.kind {
                Kind::Remove => {}
                Kind::Return(ids) => {
                    for (id, value) in ids {
                        let at = self.out.len();
                        write!(self.out, " if {} {{ return {value}; }} ", on(*id))
                            .expect("a string");
                        self.regions.push((at, self.out.len(), *id));
                    }
                }
                Kind::Instead(alternatives) => {
                    self.out.push('(');
                    for (id, edits) in alternatives {
                        let at = self.out.len();
                        write!(self.out, "if {} {{ ", on(*id)).expect("a string");
                        let mut last = node.start;
                        for (s, t, replacement) in edits {
                            self.out.push_str(&self.text[last..*s]);
                            self.out.push_str(replacement);
                            last = *t;
                        }
                        self.out.push_str(&self.text[last..node.end]);
                        self.out.push_str(" } else ");
                        self.regions.push((at, self.out.len(), *id));
                    }
                    self.out.push_str("{ ");
                    self.render(node.start, node.end, inner);
                    self.out.push_str(" })");
                }
                Kind::Around(ids, prefix, suffix) => {
                    let at = self.out.len();
                    self.out.push_str(prefix);
                    for id in ids {
                        self.regions.push((at, self.out.len(), *id));
                    }
                    self.render(node.start, node.end, inner);
                    self.out.push_str(suffix);
                }
            }
            from = node.end;
            i = next;
        }
        self.out.push_str(&self.text[from..to]);
    }
}

fn numbers(path: Option<&String>) -> BTreeSet<String> {
    let text = path.map_or(String::new(), |p| fs::read_to_string(p).unwrap_or_default());
    text.split_whitespace().map(str::to_owned).collect()
}

fn main() {
    let args: Vec<String> = env::args().collect();
    let mutants: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(&args[1]).expect("the list")).expect("JSON");
    let (crate_dir, out_dir) = (Path::new(&args[2]), Path::new(&args[3]));
    let excluded = numbers(args.get(4)).iter().map(|n| n.parse().expect("a number")).collect();
    let keep_const = numbers(args.get(5));
    let mut wanted: HashMap<At, Vec<(usize, String, String)>> = HashMap::new();
    let mut files = BTreeSet::new();
    for (id, m) in mutants.as_array().expect("a list").iter().enumerate() {
        let text = |v: &serde_json::Value| v.as_str().expect("text").to_owned();
        let number =
            |v: &serde_json::Value| usize::try_from(v.as_u64().expect("number")).expect("small");
        let start = &m["span"]["start"];
        let key = (text(&m["file"]), number(&start["line"]), number(&start["column"]));
        files.insert(key.0.clone());
        wanted.entry(key).or_default().push((id, text(&m["genre"]), text(&m["replacement"])));
    }
    let mut placed = BTreeSet::new();
    let mut regions = BTreeMap::new();
    for name in &files {
        let text = fs::read_to_string(crate_dir.join(name)).expect(name);
        let tree = syn::parse_file(&text).expect(name);
        let lines = [0].into_iter().chain(text.match_indices('\n').map(|(i, _)| i + 1)).collect();
        let mut file = File {
            text: &text,
            lines,
            name,
            wanted: &wanted,
            keep_const: &keep_const,
            excluded: &excluded,
            nodes: Vec::new(),
            placed: BTreeSet::new(),
            in_const: 0,
        };
        file.visit_file(&tree);
        placed.extend(file.placed);
        let mut nodes = file.nodes;
        nodes.sort_by_key(|n| (n.start, std::cmp::Reverse(n.end)));
        let mut output = Output { text: &text, out: String::new(), regions: Vec::new() };
        output.render(0, text.len(), &nodes);
        fs::write(out_dir.join(name), output.out).expect(name);
        regions.insert(name.clone(), output.regions);
    }
    let all = mutants.as_array().expect("a list").len();
    fs::write(out_dir.join("placed.json"), serde_json::json!(placed).to_string()).expect("written");
    fs::write(out_dir.join("regions.json"), serde_json::json!(regions).to_string())
        .expect("written");
    println!("{} of {all} mutants placed", placed.len());
}
