//! Draws SVG: lines over an axis, and bars around one. Colours follow the reader's light or dark scheme, with a ground of
//! their own, so a plot reads wherever it is shown.

use std::fmt::Write;

const WIDTH: f64 = 760.0;
const FONT: &str = "system-ui, -apple-system, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif";
const STYLE: &str = "
.ground { fill: #ffffff; stroke: #d0d7de } .ink { fill: #1f2328 } .soft { fill: #59636e } .grid { stroke: #e3e7eb }
.axis { stroke: #8b949e } .a { stroke: #2563eb } .fa { fill: #2563eb } .b { stroke: #c2570c } .fb { fill: #c2570c }
.c { stroke: #8b949e; stroke-dasharray: 4 4 } .fc { fill: #59636e }
@media (prefers-color-scheme: dark) {
.ground { fill: #0d1117; stroke: #30363d } .ink { fill: #e6edf3 } .soft { fill: #9198a1 } .grid { stroke: #21262d }
.axis { stroke: #656d76 } .a { stroke: #6ea8fe } .fa { fill: #6ea8fe } .b { stroke: #f0883e } .fb { fill: #f0883e }
.c { stroke: #656d76 } .fc { fill: #9198a1 } }
";

/// Where and with what a plot was made: two lines below it.
pub type Origin = [String; 2];

pub struct Series {
    pub label: String,
    pub colour: Colour,
    pub points: Vec<(f64, f64)>,
}

#[derive(Clone, Copy)]
pub enum Colour {
    Ours,
    Other,
    /// A dashed line to compare with.
    Ideal,
}

impl Colour {
    const fn class(self) -> char {
        match self {
            Self::Ours => 'a',
            Self::Other => 'b',
            Self::Ideal => 'c',
        }
    }
}

/// A mark on the x axis, with a second line below its label.
pub struct Tick {
    pub x: f64,
    pub label: String,
    pub note: String,
}

pub struct Lines<'a> {
    pub title: &'a str,
    pub subtitle: &'a str,
    pub x_label: &'a str,
    /// What the second lines of the ticks are.
    pub note_label: &'a str,
    pub y_label: &'a str,
    pub format: fn(f64) -> String,
    /// Whether y is logarithmic; else it begins at zero.
    pub logarithmic: bool,
    pub ticks: Vec<Tick>,
    pub series: Vec<Series>,
}

/// Draws lines.
pub fn lines(plot: &Lines<'_>, origin: &Origin) -> String {
    let height = 440.0;
    let (left, right, top, bottom) = (86.0, WIDTH - 132.0, 98.0, height - 112.0);
    let all = || plot.series.iter().flat_map(|series| &series.points);
    let (least, most) = extremes(all().map(|point| point.1));
    let axis = if plot.logarithmic { logarithmic(least, most) } else { linear(most) };
    let (first, last) = extremes(plot.ticks.iter().map(|tick| tick.x));
    let span = if last > first { last - first } else { 1.0 };
    // A little air keeps the first mark off the axis.
    let x = |value: f64| left + 22.0 + (value - first) / span * (right - left - 34.0);
    let y = |value: f64| bottom - axis.place(value) * (bottom - top);

    let mut svg = Svg::new(height, plot.title, plot.subtitle);
    for tick in &axis.ticks {
        let at = y(*tick);
        svg.line("grid", (left, at), (right, at), 1.0);
        svg.text("soft", left - 10.0, at + 4.0, "end", 12, &(plot.format)(*tick));
    }
    svg.line("axis", (left, bottom), (right, bottom), 1.0);
    for tick in &plot.ticks {
        let at = x(tick.x);
        svg.line("axis", (at, bottom), (at, bottom + 5.0), 1.0);
        svg.text("ink", at, bottom + 20.0, "middle", 12, &tick.label);
        svg.text("soft", at, bottom + 40.0, "middle", 12, &tick.note);
    }
    svg.text("soft", right + 12.0, bottom + 20.0, "start", 12, plot.x_label);
    svg.text("soft", right + 12.0, bottom + 40.0, "start", 12, plot.note_label);
    svg.text("soft", 24.0, top - 22.0, "start", 12, plot.y_label);
    for series in &plot.series {
        let points: Vec<_> = series.points.iter().map(|point| (x(point.0), y(point.1))).collect();
        svg.path(series.colour, &points);
    }
    let mut labels: Vec<_> = plot
        .series
        .iter()
        .filter_map(|series| Some((y(series.points.last()?.1), series)))
        .collect();
    labels.sort_by(|one, other| one.0.total_cmp(&other.0));
    let mut above = f64::NEG_INFINITY;
    for (at, series) in labels {
        let at = at.max(above + 17.0);
        above = at;
        let class = format!("f{}", series.colour.class());
        svg.text(&class, right + 12.0, at + 4.0, "start", 13, &series.label);
    }
    svg.finish(origin)
}

pub struct Bar {
    pub label: String,
    pub against: String,
    pub ratio: f64,
}

/// Draws ratios as bars that begin at one, on a logarithmic axis.
pub fn bars(title: &str, subtitle: &str, bars: &[Bar], origin: &Origin) -> String {
    const ROW: f64 = 27.0;
    let rows = f64::from(u32::try_from(bars.len()).expect("few"));
    let (left, right, top) = (470.0, WIDTH - 60.0, 104.0);
    let bottom = top + rows * ROW;
    let (least, most) = extremes(bars.iter().map(|bar| bar.ratio));
    let (least, most) = (least.min(0.5).log2(), most.max(2.0).log2());
    let x = |ratio: f64| left + (ratio.log2() - least) / (most - least) * (right - left);

    let mut svg = Svg::new(bottom + 66.0, title, subtitle);
    for (ratio, label) in [
        (0.0625_f64, "1/16"),
        (0.125, "1/8"),
        (0.25, "1/4"),
        (0.5, "1/2"),
        (1.0, "1"),
        (2.0, "2"),
        (4.0, "4"),
        (8.0, "8"),
    ] {
        if (least..=most).contains(&ratio.log2()) {
            let (at, class) = (x(ratio), if ratio == 1.0 { "axis" } else { "grid" });
            svg.line(class, (at, top - 4.0), (at, bottom), 1.0);
            svg.text("soft", at, top - 12.0, "middle", 12, label);
        }
    }
    let mut middle = top + ROW / 2.0;
    for bar in bars {
        svg.text("ink", 24.0, middle + 4.0, "start", 13, &bar.label);
        svg.text("soft", left - 50.0, middle + 4.0, "end", 12, &bar.against);
        let (from, to) = (x(1.0), x(bar.ratio));
        let class = if bar.ratio <= 1.0 { "fa" } else { "fb" };
        svg.rectangle(class, (from.min(to), middle - 8.0), ((to - from).abs(), 16.0));
        let ratio = format!("{:.2}", bar.ratio);
        let (at, anchor) = if bar.ratio <= 1.0 { (to - 6.0, "end") } else { (to + 6.0, "start") };
        svg.text("ink", at, middle + 4.0, anchor, 12, &ratio);
        middle += ROW;
    }
    svg.finish(origin)
}

/// An axis from 0 to 1 and the values to mark on it.
struct Axis {
    least: f64,
    most: f64,
    logarithmic: bool,
    ticks: Vec<f64>,
}

impl Axis {
    fn place(&self, value: f64) -> f64 {
        if self.logarithmic {
            (value / self.least).ln() / (self.most / self.least).ln()
        } else {
            (value - self.least) / (self.most - self.least)
        }
    }
}

/// From zero, in four to eight round steps.
fn linear(most: f64) -> Axis {
    let rough = most / 5.0;
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|times| times * power).into_iter().find(|at| *at >= rough);
    let step = step.unwrap_or(rough);
    let mut ticks = vec![0.0];
    while let Some(last) = ticks.last().copied().filter(|last| *last < most) {
        ticks.push(last + step);
    }
    Axis { least: 0.0, most: *ticks.last().unwrap_or(&most), logarithmic: false, ticks }
}

/// Marks at 1, 2 and 5 of every power of ten.
fn logarithmic(least: f64, most: f64) -> Axis {
    let mut marks = Vec::new();
    let mut power = 10_f64.powf(least.log10().floor());
    while power <= most * 10.0 {
        marks.extend([power, 2.0 * power, 5.0 * power]);
        power *= 10.0;
    }
    let low = marks.iter().copied().rfind(|mark| *mark <= least).unwrap_or(least);
    let high = marks.iter().copied().find(|mark| *mark >= most).unwrap_or(most);
    let ticks = marks.into_iter().filter(|mark| (low..=high).contains(mark)).collect();
    Axis { least: low, most: high, logarithmic: true, ticks }
}

fn extremes(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), value| {
        (least.min(value), most.max(value))
    })
}

struct Svg {
    height: f64,
    text: String,
}

impl Svg {
    fn new(height: f64, title: &str, subtitle: &str) -> Self {
        let mut svg = Self { height, text: String::new() };
        svg.push(format_args!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" role="img" font-family="{FONT}">"#
        ));
        svg.push(format_args!("<title>{}</title>\n<style>{STYLE}</style>", escape(title)));
        let (wide, high) = (WIDTH - 1.0, height - 1.0);
        svg.push(format_args!(
            r#"<rect class="ground" x="0.5" y="0.5" width="{wide}" height="{high}" rx="8"/>"#
        ));
        svg.push(format_args!(
            r#"<text class="ink" x="24" y="34" font-size="17" font-weight="600">{}</text>"#,
            escape(title)
        ));
        svg.text("soft", 24.0, 55.0, "start", 13, subtitle);
        svg
    }

    fn push(&mut self, element: std::fmt::Arguments<'_>) {
        writeln!(self.text, "{element}").expect("memory");
    }

    fn text(&mut self, class: &str, x: f64, y: f64, anchor: &str, size: u8, text: &str) {
        let text = escape(text);
        self.push(format_args!(
            r#"<text class="{class}" x="{x:.1}" y="{y:.1}" text-anchor="{anchor}" font-size="{size}">{text}</text>"#
        ));
    }

    fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64), width: f64) {
        self.push(format_args!(
            r#"<line class="{class}" x1="{:.1}" y1="{:.1}" x2="{:.1}" y2="{:.1}" stroke-width="{width}"/>"#,
            from.0, from.1, to.0, to.1
        ));
    }

    fn rectangle(&mut self, class: &str, at: (f64, f64), size: (f64, f64)) {
        self.push(format_args!(
            r#"<rect class="{class}" x="{:.1}" y="{:.1}" width="{:.1}" height="{:.1}" rx="2"/>"#,
            at.0, at.1, size.0, size.1
        ));
    }

    fn path(&mut self, colour: Colour, points: &[(f64, f64)]) {
        let class = colour.class();
        let path: Vec<_> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        self.push(format_args!(
            r#"<polyline class="{class}" points="{}" fill="none" stroke-width="2" stroke-linejoin="round"/>"#,
            path.join(" ")
        ));
        if !matches!(colour, Colour::Ideal) {
            for (x, y) in points {
                self.push(format_args!(
                    r#"<circle class="f{class}" cx="{x:.1}" cy="{y:.1}" r="3.5"/>"#
                ));
            }
        }
    }

    fn finish(mut self, origin: &Origin) -> String {
        let height = self.height;
        for (text, up) in origin.iter().zip([30.0, 15.0]) {
            self.text("soft", 24.0, height - up, "start", 11, text);
        }
        self.text.push_str("</svg>\n");
        self.text
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
