//! Public holidays by region, from tables that `bin/holidays` writes.
//!
//! Knows regions and the years that the tables cover; does not know whose region it is. Local holidays (of a city or a
//! municipality) are in no table. Invariants: a [`Region`] in hand is in the tables; a year outside of them has no
//! holidays, and [`Region::covers`] says so: whoever dates beyond must ask.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::sync::LazyLock;

use jiff::civil::Date;

use super::Holiday;
use crate::domain::document::{nearest, quoted};

#[cfg(test)]
mod tests;

const TABLES: [&str; 5] = [
    include_str!("holiday/de.tsv"),
    include_str!("holiday/at.tsv"),
    include_str!("holiday/ch.tsv"),
    include_str!("holiday/hu.tsv"),
    include_str!("holiday/ru.tsv"),
];

/// All regions by their codes.
static PLACES: LazyLock<Vec<Place>> = LazyLock::new(|| {
    let mut places: Vec<Place> = TABLES.into_iter().flat_map(read_table).collect();
    places.sort_by_key(|place| place.code);
    places
});

/// A region with its holidays by date.
#[derive(Debug)]
struct Place {
    code: &'static str,
    name: &'static str,
    first_year: i16,
    last_year: i16,
    last_decree: Option<i16>,
    days: Vec<(Date, &'static str)>,
}

/// A country or a part of one, by its code in ISO 3166: `DE-BY`, `AT`, `CH-ZH`, `HU`, `RU`.
#[derive(Clone, Copy)]
pub struct Region(&'static Place);

/// There is no table for a region.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there are no holidays of the region {}", quoted(region))]
pub struct UnknownRegion {
    /// What was asked for.
    pub region: String,
    /// The region that may be meant, or all that there are.
    pub hint: String,
}

/// The public holidays of `region` in `year`, by date; none in a year that [`Region::covers`] denies.
#[must_use]
pub fn holidays(region: &Region, year: i16) -> Vec<Holiday> {
    let days = &region.0.days;
    let first = days.partition_point(|(date, _)| date.year() < year);
    let in_year = days[first..].iter().take_while(|(date, _)| date.year() == year);
    in_year.map(|(date, name)| Holiday { date: *date, name: (*name).to_owned() }).collect()
}

impl Region {
    /// All regions, by code.
    pub fn all() -> impl Iterator<Item = Self> {
        PLACES.iter().map(Self)
    }

    /// The code: `DE-BY`.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        self.0.code
    }

    /// The name in the country's own language: `Bayern`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.0.name
    }

    /// The years that the tables cover.
    #[must_use]
    pub fn years(&self) -> RangeInclusive<i16> {
        self.0.first_year..=self.0.last_year
    }

    /// Whether the tables cover `year`. Where they don't, that there is no holiday means nothing.
    #[must_use]
    pub fn covers(&self, year: i16) -> bool {
        self.years().contains(&year)
    }

    /// Whether `year` lacks decrees that are still to come: Hungary and Russia move working days from year to year.
    #[must_use]
    pub fn is_provisional(&self, year: i16) -> bool {
        self.0.last_decree.is_some_and(|last| year > last)
    }

    /// The name of the public holiday on `date`, if it is one.
    #[must_use]
    pub fn holiday(&self, date: Date) -> Option<String> {
        let days = &self.0.days;
        days.binary_search_by_key(&date, |(date, _)| *date).ok().map(|index| days[index].1.to_owned())
    }
}

impl FromStr for Region {
    type Err = UnknownRegion;

    fn from_str(code: &str) -> Result<Self, Self::Err> {
        let found = PLACES.binary_search_by_key(&code, |place| place.code);
        found.map(|index| Self(&PLACES[index])).map_err(|_| UnknownRegion { region: code.to_owned(), hint: hint(code) })
    }
}

impl PartialEq for Region {
    fn eq(&self, other: &Self) -> bool {
        self.0.code == other.0.code
    }
}

impl Eq for Region {}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Region({})", self.0.code)
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.code)
    }
}

/// The region that is meant by a name or a code; else those of the country, or the countries.
fn hint(wanted: &str) -> String {
    let upper = wanted.to_uppercase().replace('_', "-");
    let named = nearest(wanted, PLACES.iter().map(|place| place.name));
    let meant = |place: &&Place| place.code == upper || Some(place.name) == named;
    if let Some(place) = PLACES.iter().find(meant).or_else(|| one_slip_away(&upper)) {
        return format!("did you mean `{}`?", place.code);
    }
    let country = upper.split('-').next();
    let parts = PLACES.iter().filter(|place| place.code.split('-').next() == country);
    let codes: Vec<String> = parts.map(|place| format!("`{}` {}", place.code, place.name)).collect();
    match codes.len() {
        0 => "there are DE, AT and CH with their parts (`DE-BY`, `AT-9`, `CH-ZH`), HU and RU".to_owned(),
        _ => format!("there are {}", codes.join(", ")),
    }
}

/// The only code with one slip. Codes of a country differ by so little that one slip may lead to many.
fn one_slip_away(code: &str) -> Option<&'static Place> {
    // A code has five letters at most.
    if code.len() > 8 {
        return None;
    }
    let mut near = PLACES.iter().filter(|place| strsim::osa_distance(place.code, code) == 1);
    let first = near.next();
    first.filter(|_| near.next().is_none())
}

/// The regions of one country's table.
fn read_table(table: &'static str) -> Vec<Place> {
    let (mut years, mut last_decree) = ((0, 0), None);
    let mut places: Vec<Place> = Vec::new();
    for line in table.lines().filter(|line| !line.starts_with('#')) {
        let mut fields = line.split('\t');
        match (fields.next(), fields.next(), fields.next()) {
            (Some("years"), Some(first), Some(last)) => years = (year(first), year(last)),
            (Some("decrees"), Some(last), None) => last_decree = Some(year(last)),
            (Some("region"), Some(code), Some(name)) => {
                let (first_year, last_year) = years;
                places.push(Place { code, name, first_year, last_year, last_decree, days: Vec::new() });
            }
            (Some(date), Some(name), Some(codes)) => add_day(&mut places, date, name, codes),
            _ => {}
        }
    }
    places
}

fn year(text: &str) -> i16 {
    text.parse().unwrap_or_default()
}

fn add_day(places: &mut [Place], date: &str, name: &'static str, codes: &str) {
    // A test reads every line of every table: none is passed over.
    let Ok(date) = date.parse::<Date>() else { return };
    for place in places.iter_mut().filter(|place| codes == "*" || codes.split(',').any(|code| code == place.code)) {
        place.days.push((date, name));
    }
}
