//! Updates by period as a picture of bars, those for security at the bottom. The numbers stand in the table beside it.

use serde::Serialize;

use super::super::Error;
use super::super::reader::Reader;
use super::period_name;
use crate::domain::period::summary::Figures;

/// Units of the drawing: each period has a slot, a bar is as high as its share of the highest.
const SLOT: usize = 120;
const BAR: usize = 56;
const HIGHEST: usize = 120;
/// Room above the highest bar for its number.
const ABOVE: usize = 24;
/// Room below the bars for the names of periods.
const BELOW: usize = 48;
/// From one line of a name to the next.
const LINE: usize = 20;

/// The picture.
#[derive(Debug, Serialize)]
pub(super) struct ChartView {
    width: usize,
    height: usize,
    /// The picture in words, for those who can't see it.
    description: String,
    bars: Vec<Bar>,
}

/// One period.
#[derive(Debug, Serialize)]
struct Bar {
    x: usize,
    width: usize,
    middle: usize,
    /// Top of the whole bar, and of its lower part.
    y: usize,
    security_y: usize,
    rest_height: usize,
    security_height: usize,
    number: String,
    number_y: usize,
    /// Its name; in two lines, as bars stand close on a phone.
    label: Vec<Line>,
}

/// One line of a name.
#[derive(Debug, Serialize)]
struct Line {
    text: String,
    y: usize,
}

/// The picture; none if there were no updates at all.
pub(super) fn view(periods: &[&Figures], reader: &Reader<'_>) -> Result<Option<ChartView>, Error> {
    let Some(most) = periods.iter().map(|figures| figures.updates).max().filter(|most| *most > 0) else {
        return Ok(None);
    };
    let bars: Vec<Bar> =
        (0..).zip(periods).map(|(index, figures)| bar(index, figures, most, reader)).collect::<Result<_, _>>()?;
    let in_words = |(figures, bar): (&&Figures, &Bar)| {
        Ok::<_, Error>(format!("{}: {}", period_name(figures.period, reader)?, bar.number))
    };
    let words: Vec<String> = periods.iter().zip(&bars).map(in_words).collect::<Result<_, _>>()?;
    Ok(Some(ChartView {
        width: periods.len() * SLOT,
        height: ABOVE + HIGHEST + BELOW,
        description: reader.text("period.chart.description", &[("numbers", &words.join(", "))])?,
        bars,
    }))
}

fn bar(index: usize, figures: &Figures, most: usize, reader: &Reader<'_>) -> Result<Bar, Error> {
    let height = |count: usize| (count * HIGHEST).div_ceil(most);
    let (whole, security_height) = (height(figures.updates), height(figures.security.min(figures.updates)));
    let ground = ABOVE + HIGHEST;
    Ok(Bar {
        x: index * SLOT + (SLOT - BAR) / 2,
        width: BAR,
        middle: index * SLOT + SLOT / 2,
        y: ground - whole,
        security_y: ground - security_height,
        rest_height: whole - security_height,
        security_height,
        number: reader.number(figures.updates as u64)?,
        number_y: ground - whole - 6,
        label: label(&period_name(figures.period, reader)?, ground + LINE),
    })
}

fn label(name: &str, y: usize) -> Vec<Line> {
    let line = |text: &str, y| Line { text: text.to_owned(), y };
    match name.rsplit_once(' ') {
        Some((first, second)) => vec![line(first, y), line(second, y + LINE)],
        None => vec![line(name, y)],
    }
}
