//! Lines, outliers, clean-ups and noise, and what they foretell.

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::{Just, Strategy, any, prop, prop_assert, prop_assert_eq, prop_assume, proptest};

use super::{Forecast, Growth, HORIZON_DAYS, NEEDED, Sample, forecast};

const SIZE: u64 = 1_000_000;

/// Measured once a day, the last time at the end of `used`.
fn daily(used: &[u64]) -> (Vec<Sample>, Timestamp) {
    spaced(used, SignedDuration::from_hours(24))
}

fn spaced(used: &[u64], apart: SignedDuration) -> (Vec<Sample>, Timestamp) {
    // Over the end of summer time in Europe, which an instant knows nothing of.
    let first: Timestamp = "2026-10-20T03:17:00Z".parse().unwrap();
    let at = |number: usize| first + apart * i32::try_from(number).unwrap();
    let sample = |(number, used): (usize, &u64)| Sample { at: at(number), used: *used, free: SIZE - used };
    (used.iter().enumerate().map(sample).collect(), at(used.len() - 1))
}

fn of(used: &[u64]) -> Forecast {
    let (samples, now) = daily(used);
    forecast(&samples, now)
}

#[track_caller]
fn growth(forecast: Forecast) -> Growth {
    match forecast {
        Forecast::Growing(growth) => growth,
        other => panic!("it grows, and is {other:?}"),
    }
}

fn line(from: u64, per_day: u64, days: u64) -> Vec<u64> {
    (0..days).map(|day| from + per_day * day).collect()
}

#[test]
fn a_straight_line_gives_the_exact_day() {
    let growth = growth(of(&line(500_000, 10_000, 10)));
    // 590,000 are used, 410,000 are left.
    let expected = Growth { per_day: 10_000.0, days: 41.0, earliest_days: 41.0, latest_days: Some(41.0) };
    assert_eq!(growth, expected);
}

#[test]
fn days_count_from_the_time_of_asking() {
    let (samples, now) = daily(&line(500_000, 10_000, 10));
    let asked = |hours| growth(forecast(&samples, now + SignedDuration::from_hours(hours))).days;
    assert_eq!((asked(0), asked(60), asked(24 * 50)), (41.0, 38.5, 0.0));
    let before = growth(forecast(&samples, now - SignedDuration::from_hours(48)));
    assert_eq!(before.days, 41.0, "a clock that is behind makes nothing later");
}

#[test]
fn few_measurements_foretell_nothing_and_say_how_few() {
    let few = |measurements| Forecast::TooFew { measurements, needed: NEEDED };
    assert_eq!(forecast(&[], Timestamp::UNIX_EPOCH), few(0));
    assert_eq!(of(&line(10, 10, 1)), few(1));
    assert_eq!(of(&line(10, 10, 3)), few(3));
    assert!(matches!(of(&line(10, 1000, 4)), Forecast::Growing(_)));
    // A run by the hour makes no trend.
    let (samples, now) = spaced(&line(10, 1000, 20), SignedDuration::from_hours(1));
    assert_eq!(forecast(&samples, now), few(2));
}

#[test]
fn what_stays_or_shrinks_does_not_fill() {
    assert_eq!(of(&[700_000; 30]), Forecast::NotGrowing);
    let shrinking: Vec<u64> = line(100_000, 10_000, 30).into_iter().rev().collect();
    assert_eq!(of(&shrinking), Forecast::NotGrowing);
    // In thousands of years.
    assert_eq!(of(&line(10, 1, 30)), Forecast::NotGrowing);
}

#[test]
fn full_is_full_however_it_came() {
    assert_eq!(of(&[SIZE]), Forecast::Full);
    assert_eq!(of(&[10, SIZE]), Forecast::Full);
    let (mut samples, now) = daily(&[SIZE, 10, 10, 10, 10]);
    samples.reverse();
    assert_eq!(forecast(&samples, now), Forecast::NotGrowing, "that it was full once is over; order does not matter");
}

#[test]
fn after_a_clean_up_the_older_trend_is_over() {
    let mut used = line(300_000, 20_000, 30);
    used.extend(line(200_000, 2_000, 10));
    let after = growth(of(&used));
    assert_eq!((after.per_day, after.days), (2000.0, 391.0));
    let mut used = line(300_000, 20_000, 30);
    used.extend(line(200_000, 2_000, 3));
    assert_eq!(of(&used), Forecast::TooFew { measurements: 3, needed: NEEDED });
}

#[test]
fn a_rhythm_of_clean_ups_is_no_growth() {
    let week = line(600_000, 30_000, 7);
    let used: Vec<u64> = week.iter().copied().cycle().take(7 * 8).collect();
    assert_eq!(of(&used), Forecast::NotGrowing);
}

#[test]
fn a_disk_that_was_enlarged_lasts_longer_from_then_on() {
    let (mut samples, now) = daily(&line(500_000, 10_000, 10));
    samples.iter_mut().rev().take(3).for_each(|sample| sample.free += 1_000_000);
    assert_eq!(growth(forecast(&samples, now)).days, 141.0);
}

#[test]
fn what_was_long_ago_says_nothing() {
    let mut used = vec![100_000; 200];
    used.extend(line(100_000, 5_000, 91));
    assert_eq!(growth(of(&used)).per_day, 5000.0);
}

#[test]
fn noise_alone_is_not_certain_to_grow() {
    let mut noise = 1_u64;
    // Linear congruence with the numbers of Park and Miller; seen over 40 days it shows no trend.
    let used: Vec<u64> = (0..40)
        .map(|_| {
            noise = noise * 48_271 % 0x7fff_ffff;
            500_000 + noise % 41_000
        })
        .collect();
    if let Forecast::Growing(growth) = of(&used) {
        assert_eq!(growth.latest_days, None, "{growth:?}");
    }
}

fn samples() -> impl Strategy<Value = Vec<Sample>> {
    let second = Timestamp::MIN.as_second()..=Timestamp::MAX.as_second();
    let sample = (second, any::<u64>(), any::<u64>()).prop_map(|(second, used, free)| Sample {
        at: Timestamp::from_second(second).unwrap(),
        used,
        free,
    });
    let near = (0_i64..90 * 86_400, any::<u64>(), 0_u64..3).prop_map(|(second, used, free)| Sample {
        at: Timestamp::from_second(second).unwrap(),
        used,
        free,
    });
    prop::collection::vec(sample, 0..40).boxed().prop_union(prop::collection::vec(near, 0..200).boxed())
}

proptest! {
    #[test]
    fn nothing_panics_and_every_number_makes_sense(samples in samples(), now in any::<i32>()) {
        let now = Timestamp::from_second(i64::from(now)).unwrap();
        if let Forecast::Growing(growth) = forecast(&samples, now) {
            prop_assert!(growth.per_day > 0.0 && growth.per_day.is_finite());
            prop_assert!((0.0..=HORIZON_DAYS).contains(&growth.earliest_days));
            prop_assert!(growth.earliest_days <= growth.days && growth.days < HORIZON_DAYS);
            prop_assert!(growth.latest_days.is_none_or(|latest| latest >= growth.days && latest <= HORIZON_DAYS));
        }
    }

    #[test]
    fn a_straight_line_is_exact_from_anywhere(from in 0_u64..400_000, per_day in 500_u64..5000, days in 4_u64..60) {
        let used = line(from, per_day, days);
        let left = SIZE - used.last().unwrap();
        let expected = left as f64 / per_day as f64;
        let growth = growth(of(&used));
        prop_assert!((growth.days - expected).abs() < 1e-6, "{} and {}", growth.days, expected);
        prop_assert!((growth.earliest_days - expected).abs() < 1e-6);
    }

    #[test]
    fn single_odd_measurements_bend_nothing(
        days in 12_u64..60,
        odd in prop::collection::btree_set(0_u64..20, 1..4),
        value in prop::sample::select(vec![0_u64, 1, 999_999]),
    ) {
        let mut used = line(200_000, 5_000, days);
        // Never two in a row: that is no single one.
        let odd: Vec<usize> = odd.iter().map(|place| usize::try_from(place * 3 % days).unwrap()).collect();
        prop_assume!(odd.iter().all(|a| odd.iter().all(|b| a == b || a.abs_diff(*b) > 2)));
        prop_assume!(odd.len() * 6 <= used.len());
        odd.iter().for_each(|place| used[*place] = value);
        let growth = growth(of(&used));
        let expected = (SIZE - (200_000 + 5_000 * (days - 1))) as f64 / 5_000.0;
        prop_assert!((growth.days - expected).abs() < expected * 0.05 + 0.1, "{growth:?}, {expected}");
    }

    // A month of noise that is up to five days of growth: the estimate's standard error is 3 % of the growth at most, so that a
    // quarter is out of reach of chance.
    #[test]
    fn noise_is_looked_through(
        noise in prop::collection::vec(0_u64..20_000, 30..60),
        per_day in 4_000_u64..8_000,
    ) {
        let used: Vec<u64> = noise.iter().zip(0_u64..).map(|(noise, day)| 300_000 + day * per_day + noise).collect();
        let expected = (SIZE - 310_000 - (used.len() as u64 - 1) * per_day) as f64 / per_day as f64;
        let growth = growth(of(&used));
        prop_assert!((growth.days - expected).abs() < expected * 0.25, "{growth:?}, {expected}");
        prop_assert!(growth.earliest_days < growth.days, "noise has a range");
    }

    #[test]
    fn flat_is_flat(level in 0_u64..SIZE, days in 4_usize..100, apart in (1_i64..100).prop_flat_map(Just)) {
        let (samples, now) = spaced(&vec![level; days], SignedDuration::from_hours(12 + apart));
        prop_assert_eq!(forecast(&samples, now), Forecast::NotGrowing);
    }

    #[test]
    fn after_a_clean_up_only_what_follows_counts(before in 5_u64..40, after in 4_u64..40, per_day in 500_u64..4000) {
        let mut used = line(600_000, 7_000, before);
        used.extend(line(100_000, per_day, after));
        let expected = (SIZE - used.last().unwrap()) as f64 / per_day as f64;
        prop_assert!((growth(of(&used)).days - expected).abs() < 1e-6);
    }
}
