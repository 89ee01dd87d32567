//! Plots as SVG, legible on light and on dark pages.

use std::fmt::Write as _;

use super::{Point, Results};

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 420.0;
const LEFT: f64 = 80.0;
const RIGHT: f64 = 150.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 60.0;

/// Told apart by those who see few colours (Okabe and Ito, and a grey), and by both kinds of page.
const COLOURS: [&str; 7] = [
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#999999",
];

const STYLE: &str = "text { font: 13px system-ui, sans-serif; fill: #24292f } .title { font-size: 15px; font-weight: 600 } \
    .grid { stroke: #8c959f; stroke-opacity: .35 } .line { fill: none; stroke-width: 2.5 } \
    @media (prefers-color-scheme: dark) { text { fill: #e6edf3 } }";

/// The files' names and what they hold; none for what was not measured.
pub fn pictures(results: &Results) -> Vec<(&'static str, String)> {
    let mut pictures = Vec::new();
    if !results.sweep.is_empty() {
        let of = |figure: fn(&Point) -> f64| curves(&results.sweep, figure);
        pictures.push((
            "throughput.svg",
            Plot {
                title: "GetLead: throughput against calls in flight",
                x: Axis {
                    label: "calls in flight",
                    scale: Scale::Log,
                },
                y: Axis {
                    label: "calls a second",
                    scale: Scale::FromZero,
                },
                curves: of(|point| point.sample.throughput),
            }
            .draw(),
        ));
        for (file, title, figure) in [
            (
                "latency-p50.svg",
                "GetLead: median latency against calls in flight",
                (|point| point.sample.p50 / 1e3) as fn(&Point) -> f64,
            ),
            (
                "latency-p99.svg",
                "GetLead: 99th percentile against calls in flight",
                |point| point.sample.p99 / 1e3,
            ),
        ] {
            let plot = Plot {
                title,
                x: Axis {
                    label: "calls in flight",
                    scale: Scale::Log,
                },
                y: Axis {
                    label: "ms",
                    scale: Scale::Log,
                },
                curves: of(figure),
            };
            pictures.push((file, plot.draw()));
        }
    }
    if !results.depth.curve.is_empty() {
        let mut depth: Vec<Curve> = Vec::new();
        for (name, newer, micros) in &results.depth.curve {
            add(&mut depth, name, (as_number(*newer), micros / 1e3));
        }
        let plot = Plot {
            title: "ListLeads, a page of 100: median latency against depth",
            x: Axis {
                label: "newer leads before the page",
                scale: Scale::FromZero,
            },
            y: Axis {
                label: "ms",
                scale: Scale::FromZero,
            },
            curves: depth,
        };
        pictures.push(("depth.svg", plot.draw()));
    }
    pictures
}

struct Curve {
    name: String,
    points: Vec<(f64, f64)>,
}

fn curves(points: &[Point], figure: fn(&Point) -> f64) -> Vec<Curve> {
    let mut curves = Vec::new();
    for point in points {
        let in_flight = as_number(u64::try_from(point.in_flight).unwrap_or(u64::MAX));
        add(&mut curves, &point.name, (in_flight, figure(point)));
    }
    curves
}

fn add(curves: &mut Vec<Curve>, name: &str, point: (f64, f64)) {
    if let Some(curve) = curves.iter_mut().find(|curve| curve.name == name) {
        curve.points.push(point);
    } else {
        curves.push(Curve {
            name: name.to_owned(),
            points: vec![point],
        });
    }
}

#[expect(clippy::cast_precision_loss, reason = "a number of calls or leads")]
fn as_number(count: u64) -> f64 {
    count as f64
}

#[derive(Clone, Copy)]
enum Scale {
    FromZero,
    /// Powers of two, or of ten where there are many of those.
    Log,
}

struct Axis {
    label: &'static str,
    scale: Scale,
}

/// An axis that knows its values: where each lies, from 0 to 1, and which are marked.
struct Fitted {
    scale: Scale,
    from: f64,
    to: f64,
    marks: Vec<f64>,
}

impl Fitted {
    fn new(scale: Scale, values: &[f64]) -> Self {
        let greatest = values.iter().copied().fold(0.0, f64::max);
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        match scale {
            Scale::FromZero => {
                let step = round_step(greatest / 5.0);
                let marks: Vec<f64> = (0..=6).map(|mark| f64::from(mark) * step).collect();
                let last = marks.iter().position(|mark| *mark >= greatest).unwrap_or(6);
                Self {
                    scale,
                    from: 0.0,
                    to: marks[last],
                    marks: marks[..=last].to_vec(),
                }
            }
            Scale::Log => {
                let base: f64 = if greatest / least > 600.0 { 10.0 } else { 2.0 };
                let (first, last) = (least.log(base).floor(), greatest.log(base).ceil());
                let mut marks = Vec::new();
                let mut power = first;
                while power <= last {
                    marks.push(base.powf(power));
                    power += 1.0;
                }
                Self {
                    scale,
                    from: base.powf(first),
                    to: base.powf(last),
                    marks,
                }
            }
        }
    }

    fn place(&self, value: f64) -> f64 {
        match self.scale {
            Scale::FromZero => value / self.to,
            Scale::Log => (value / self.from).ln() / (self.to / self.from).ln(),
        }
    }
}

/// 1, 2 or 5 times a power of ten, and at least `step`.
fn round_step(step: f64) -> f64 {
    let power = 10f64.powf(step.log10().floor());
    let fits = [1.0, 2.0, 5.0, 10.0].map(|times| times * power);
    fits.into_iter()
        .find(|fit| *fit >= step)
        .unwrap_or(power * 10.0)
}

struct Plot {
    title: &'static str,
    x: Axis,
    y: Axis,
    curves: Vec<Curve>,
}

impl Plot {
    fn draw(&self) -> String {
        let mut svg = String::new();
        // Writing to a string does not fail.
        let _ = self.write(&mut svg);
        svg
    }

    fn write(&self, svg: &mut String) -> std::fmt::Result {
        let all = |of: fn(&(f64, f64)) -> f64| -> Vec<f64> {
            self.curves
                .iter()
                .flat_map(|curve| curve.points.iter().map(of))
                .collect()
        };
        let x = Fitted::new(self.x.scale, &all(|point| point.0));
        let y = Fitted::new(self.y.scale, &all(|point| point.1));
        let right = |value: f64| LEFT + x.place(value) * (WIDTH - LEFT - RIGHT);
        let down = |value: f64| HEIGHT - BOTTOM - y.place(value) * (HEIGHT - TOP - BOTTOM);
        let title = self.title;
        writeln!(
            svg,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{title}\">\n\
             <style>{STYLE}</style>\n<text class=\"title\" x=\"{LEFT}\" y=\"22\">{title}</text>"
        )?;
        let (bottom, end) = (HEIGHT - BOTTOM, WIDTH - RIGHT);
        for mark in &y.marks {
            let (place, label) = (down(*mark), shown(*mark));
            writeln!(
                svg,
                "<path class=\"grid\" d=\"M{LEFT} {place:.1}H{end}\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>",
                LEFT - 8.0,
                place + 4.0
            )?;
        }
        for mark in &x.marks {
            let (place, label) = (right(*mark), shown(*mark));
            writeln!(
                svg,
                "<path class=\"grid\" d=\"M{place:.1} {TOP}V{bottom}\"/>\
                 <text x=\"{place:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{label}</text>",
                bottom + 20.0
            )?;
        }
        writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>\
             <text transform=\"translate(18 {:.1}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
            f64::midpoint(LEFT, end),
            HEIGHT - 14.0,
            self.x.label,
            f64::midpoint(TOP, bottom),
            self.y.label
        )?;
        self.write_curves(svg, right, down)?;
        writeln!(svg, "</svg>")
    }

    fn write_curves(
        &self,
        svg: &mut String,
        right: impl Fn(f64) -> f64,
        down: impl Fn(f64) -> f64,
    ) -> std::fmt::Result {
        // The legend is in the order in which the curves end, so that it reads along with them.
        let mut ends: Vec<(f64, &str, &str)> = Vec::new();
        for (curve, colour) in self.curves.iter().zip(COLOURS.iter().cycle()) {
            let places: Vec<(f64, f64)> = curve
                .points
                .iter()
                .map(|(x, y)| (right(*x), down(*y)))
                .collect();
            let path: Vec<String> = places
                .iter()
                .map(|(x, y)| format!("{x:.1} {y:.1}"))
                .collect();
            writeln!(
                svg,
                "<path class=\"line\" stroke=\"{colour}\" d=\"M{}\"/>",
                path.join("L")
            )?;
            for (x, y) in &places {
                writeln!(
                    svg,
                    "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\" fill=\"{colour}\"/>"
                )?;
            }
            if let Some((_, y)) = places.last() {
                ends.push((*y, &curve.name, colour));
            }
        }
        ends.sort_by(|one, other| one.0.total_cmp(&other.0));
        let mut free = TOP;
        for (y, name, colour) in ends {
            let y = y.max(free);
            free = y + 18.0;
            writeln!(
                svg,
                "<circle cx=\"{:.1}\" cy=\"{y:.1}\" r=\"5\" fill=\"{colour}\"/><text x=\"{:.1}\" y=\"{:.1}\">{name}</text>",
                WIDTH - RIGHT + 16.0,
                WIDTH - RIGHT + 26.0,
                y + 4.0
            )?;
        }
        Ok(())
    }
}

/// A number as short as it can be told.
fn shown(value: f64) -> String {
    if value >= 1e6 {
        format!("{} M", value / 1e6)
    } else if value >= 10_000.0 {
        format!("{} k", value / 1e3)
    } else if value >= 1.0 || value == 0.0 {
        format!("{value}")
    } else {
        format!("{value:.2}")
    }
}
