//! The chart of a signal: the candles before it, its levels, and, paler, the candles that followed.
//!
//! Each candle is drawn as two rectangles in whole pixels, which keeps the file small and the lines sharp.

use std::io;

use plotters::{
    chart::ChartContext,
    coord::{
        Shift,
        types::{RangedCoordf64, RangedCoordi32},
    },
    prelude::{
        Cartesian2d, ChartBuilder, Circle, Color as _, DrawingArea, DrawingAreaErrorKind, IntoDrawingArea as _,
        IntoFont as _, PathElement, Polygon, RGBColor, Rectangle, SVGBackend, TRANSPARENT, Text,
    },
    style::{
        ShapeStyle, TextStyle,
        text_anchor::{HPos, Pos, VPos},
    },
};
use ta_bot_core::{Action, CandleSlice, StrategyId, Timeframe, Timestamp};
use ta_bot_engine::market::history::CandleSeries;

use super::{
    MARK,
    scan::Found,
    text::{formatted, moment, rounded},
};

/// How large the chart is, in pixels.
const SIZE: (u32, u32) = (960, 480);
/// How many candles are shown up to and including the signal's.
const BEFORE: usize = 80;
/// How many candles follow it, if the series goes on.
const AFTER: usize = 20;
/// The width of the labels of the levels, and the least distance between two labels.
const LABEL_WIDTH: u32 = 150;
const LABEL_HEIGHT: i32 = 16;
/// How many digits a price has in a label.
const DIGITS: i32 = 6;
/// The share of the height that stays free above and below.
const PADDING: f64 = 0.1;
const FONT: &str = "sans-serif";

const BACKGROUND: RGBColor = RGBColor(255, 255, 255);
const LATER: RGBColor = RGBColor(240, 240, 240);
const INK: RGBColor = RGBColor(51, 51, 51);
const GRID: RGBColor = RGBColor(221, 221, 221);
const UP: RGBColor = RGBColor(38, 150, 136);
const DOWN: RGBColor = RGBColor(229, 83, 80);
const ENTRY: RGBColor = RGBColor(21, 101, 192);
const STOP: RGBColor = RGBColor(183, 28, 28);
const TARGET: RGBColor = RGBColor(27, 94, 32);

type Plot<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordi32, RangedCoordf64>>;
type Area<'b> = DrawingArea<SVGBackend<'b>, Shift>;
type Drawn<T = ()> = Result<T, DrawingAreaErrorKind<io::Error>>;

/// A level, which is drawn as a horizontal line.
struct Level {
    name: &'static str,
    price: f64,
    color: RGBColor,
}

/// What is drawn.
struct Scene<'a> {
    candles: CandleSlice<'a>,
    timeframe: Timeframe,
    /// The index of the signal's candle.
    signal: usize,
    action: Action,
    levels: Vec<Level>,
}

/// The chart as SVG.
pub(super) fn draw(strategy: &StrategyId, found: &Found, series: &CandleSeries) -> Drawn<String> {
    let first = (found.candle + 1).saturating_sub(BEFORE);
    let end = (found.candle + 1 + AFTER).min(series.len());
    let level = |(name, field, color)| Some(Level { name, price: found.price(field)?, color });
    let levels =
        [("target", "take_profit", TARGET), ("entry", "price", ENTRY), ("stop", "stop_loss", STOP)].into_iter();
    let scene = Scene {
        candles: series.span(first..end),
        timeframe: series.timeframe,
        signal: found.candle - first,
        action: found.signal.action,
        levels: levels.filter_map(level).collect(),
    };
    let (symbol, timeframe) = (&series.symbol, series.timeframe);
    let title = format!("{strategy}: {} {symbol} {timeframe}, {}", scene.action.as_str(), moment(found.close));
    let mut svg = String::new();
    scene.draw(&SVGBackend::with_string(&mut svg, SIZE).into_drawing_area(), &title)?;
    // A title for readers who do not see the chart; plotters offers no way to set one.
    Ok(svg.replacen(">\n", &format!(">\n<title>{title}</title>\n{MARK} (make docs). -->\n"), 1))
}

impl Scene<'_> {
    fn draw(&self, root: &Area<'_>, title: &str) -> Drawn {
        root.fill(&BACKGROUND)?;
        let (low, high) = self.prices();
        let mut plot = ChartBuilder::on(root)
            .caption(title, (FONT, 20).into_font().color(&INK))
            .margin(8)
            .margin_right(LABEL_WIDTH)
            .x_label_area_size(44)
            .y_label_area_size(84)
            .build_cartesian_2d(-1..(self.signal + AFTER + 1) as i32, low..high)?;
        self.draw_later(root, &plot)?;
        self.draw_axes(&mut plot)?;
        self.draw_candles(root, &plot)?;
        self.draw_levels(root, &plot)?;
        self.draw_mark(root, &plot)?;
        root.present()
    }

    /// The lowest and the highest price of the chart.
    fn prices(&self) -> (f64, f64) {
        let levels = || self.levels.iter().map(|level| level.price);
        let low = self.candles.low.iter().copied().chain(levels()).fold(f64::INFINITY, f64::min);
        let high = self.candles.high.iter().copied().chain(levels()).fold(0.0, f64::max);
        // If no price moved, there is still a chart.
        let free = PADDING * (high - low).max(high * 1e-4);
        (low - free, high + free)
    }

    /// Marks, behind everything else, what the strategy could not see.
    fn draw_later(&self, root: &Area<'_>, plot: &Plot<'_, '_>) -> Drawn {
        let (width, height) = plot.plotting_area().get_pixel_range();
        let edge = i32::midpoint(middle(plot, self.signal), middle(plot, self.signal + 1));
        root.draw(&Rectangle::new([(edge, height.start), (width.end, height.end)], LATER.filled()))?;
        let place = (i32::midpoint(edge, width.end), height.start + 4);
        let word = if self.candles.len() > self.signal + 1 { "later" } else { "no candles" };
        root.draw(&Text::new(word, place, words(INK, 15, HPos::Center, VPos::Top)))
    }

    fn draw_axes(&self, plot: &mut Plot<'_, '_>) -> Drawn {
        let format = if self.timeframe >= Timeframe::D1 { "%Y-%m-%d" } else { "%m-%d %H:%M" };
        let time = |candle: &i32| {
            let open = usize::try_from(*candle).ok().and_then(|candle| self.candles.open_time.get(candle));
            open.map(|open| formatted(self.timeframe.close_of(Timestamp::from_millis(*open as i64)), format))
                .unwrap_or_default()
        };
        plot.configure_mesh()
            .disable_x_mesh()
            .max_light_lines(1)
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID)
            .axis_style(INK)
            .label_style((FONT, 15).into_font().color(&INK))
            .x_labels(10)
            .y_labels(8)
            .x_label_formatter(&time)
            .y_label_formatter(&|price| rounded(*price, DIGITS))
            .x_desc("close time (UTC)")
            .y_desc("price")
            .draw()
    }

    fn draw_candles(&self, root: &Area<'_>, plot: &Plot<'_, '_>) -> Drawn {
        for candle in 0..self.candles.len() {
            let CandleSlice { open, high, low, close, .. } = self.candles;
            let color = if close[candle] < open[candle] { DOWN } else { UP };
            let style = if candle > self.signal { color.mix(0.45).filled() } else { color.filled() };
            let x = middle(plot, candle);
            let y = |price: f64| plot.backend_coord(&(0, price)).1;
            let (top, bottom) = (y(open[candle].max(close[candle])), y(open[candle].min(close[candle])));
            let wick = [(x, y(high[candle])), (x + 1, y(low[candle]).max(y(high[candle]) + 1))];
            root.draw(&Rectangle::new(wick, style))?;
            root.draw(&Rectangle::new([(x - 2, top), (x + 3, bottom.max(top + 1))], style))?;
        }
        Ok(())
    }

    /// Draws the levels as lines from the signal on, with labels that do not overlap.
    fn draw_levels(&self, root: &Area<'_>, plot: &Plot<'_, '_>) -> Drawn {
        let start = middle(plot, self.signal);
        let end = plot.plotting_area().get_pixel_range().0.end;
        let mut levels: Vec<(i32, &Level)> =
            self.levels.iter().map(|level| (plot.backend_coord(&(0, level.price)).1, level)).collect();
        levels.sort_by_key(|(y, _)| *y);
        let mut free = i32::MIN;
        for (y, Level { name, price, color }) in levels {
            root.draw(&PathElement::new(vec![(start, y), (end, y)], color.stroke_width(2)))?;
            let label = y.max(free);
            free = label + LABEL_HEIGHT;
            let text = format!("{name} {}", rounded(*price, DIGITS));
            root.draw(&Text::new(text, (end + 6, label), words(*color, 16, HPos::Left, VPos::Center)))?;
        }
        Ok(())
    }

    /// Draws an arrow at the signal's candle: from below for a buy, from above for a sell, else a dot.
    fn draw_mark(&self, root: &Area<'_>, plot: &Plot<'_, '_>) -> Drawn {
        let x = middle(plot, self.signal);
        let low = plot.backend_coord(&(0, self.candles.low[self.signal])).1;
        let high = plot.backend_coord(&(0, self.candles.high[self.signal])).1;
        let style: ShapeStyle = ENTRY.filled();
        let arrow = |tip: i32, back: i32| Polygon::new(vec![(x, tip), (x - 7, back), (x + 8, back)], style);
        match self.action {
            Action::Buy => root.draw(&arrow(low + 4, low + 16)),
            Action::Sell => root.draw(&arrow(high - 4, high - 16)),
            Action::Hold | Action::Close => root.draw(&Circle::new((x, high - 10), 6, style)),
        }
    }
}

/// The horizontal middle of a candle, in pixels.
fn middle(plot: &Plot<'_, '_>, candle: usize) -> i32 {
    plot.backend_coord(&(candle as i32, 0.0)).0
}

fn words(color: RGBColor, size: u32, horizontal: HPos, vertical: VPos) -> TextStyle<'static> {
    (FONT, size).into_font().color(&color).pos(Pos::new(horizontal, vertical))
}
