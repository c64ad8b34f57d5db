//! When a service went down and came back, from looks that may overlap and end in any order.

use std::collections::VecDeque;

/// So many right answers are remembered: as many as come while one look hangs.
const REMEMBERED: usize = 64;

/// What the looks of one watch add up to. `T` is an instant.
#[derive(Debug)]
pub struct Observer<T> {
    /// Whether the service is in order, and since when; none before the first look has ended.
    state: Option<(bool, T)>,
    /// The latest right answers, by the number of their look, with when they came.
    right: VecDeque<(u64, T)>,
    /// What began before this instant is told already.
    told: Option<T>,
}

impl<T> Default for Observer<T> {
    fn default() -> Self {
        Self { state: None, right: VecDeque::new(), told: None }
    }
}

impl<T: Ord + Copy> Observer<T> {
    /// Takes in look number `number`, which began and ended at these instants; numbers grow by one with each look that is begun.
    /// Returns what is news, in order: whether the service is up, and since when.
    ///
    /// It is down from the beginning of the first look that failed to the end of the first that began later and did not. One look
    /// alone that hangs, while the next is answered, is no interruption. An answer to a look that began before the service went
    /// down does not bring it back.
    pub fn see(&mut self, number: u64, (begun, ended): (T, T), met: bool) -> Vec<(bool, T)> {
        if met { self.see_right(number, begun, ended) } else { self.see_wrong(number, begun) }
    }

    fn see_right(&mut self, number: u64, begun: T, ended: T) -> Vec<(bool, T)> {
        match self.state {
            Some((false, down_since)) if begun < down_since => return Vec::new(),
            Some((true, _)) => {}
            Some((false, _)) => self.told = Some(ended),
            None => {}
        }
        if self.right.len() == REMEMBERED {
            self.right.pop_front();
        }
        self.right.push_back((number, ended));
        if self.state.is_some_and(|(met, _)| met) {
            return Vec::new();
        }
        self.state = Some((true, ended));
        vec![(true, ended)]
    }

    fn see_wrong(&mut self, number: u64, begun: T) -> Vec<(bool, T)> {
        let is_down = self.state.is_some_and(|(met, _)| !met);
        if is_down || self.told.is_some_and(|told| begun < told) {
            return Vec::new();
        }
        let later = self.right.iter().filter(|(right, _)| *right > number).min_by_key(|(right, _)| *right);
        match later.copied() {
            Some((next, _)) if next == number + 1 => Vec::new(),
            Some((_, ended)) => {
                self.told = Some(ended);
                vec![(false, begun), (true, ended)]
            }
            None => {
                self.state = Some((false, begun));
                vec![(false, begun)]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Observer;

    /// What is told of looks `(number, begun, ended, met)`.
    fn told(looks: &[(u64, u32, u32, bool)]) -> Vec<(bool, u32)> {
        let mut observer = Observer::default();
        looks.iter().flat_map(|look| observer.see(look.0, (look.1, look.2), look.3)).collect()
    }

    #[test]
    fn a_service_that_never_stops_is_told_once() {
        assert_eq!(told(&[(0, 0, 1, true), (1, 10, 12, true), (2, 20, 21, true)]), [(true, 1)]);
    }

    #[test]
    fn it_is_down_from_the_first_look_that_fails_to_the_first_that_does_not() {
        let looks = [(0, 0, 1, true), (1, 10, 11, false), (2, 20, 20, false), (3, 30, 33, true), (4, 40, 41, true)];
        assert_eq!(told(&looks), [(true, 1), (false, 10), (true, 33)]);
    }

    #[test]
    fn looks_that_hang_tell_the_beginning_late_but_rightly() {
        // Each look takes 50 until it is given up; the service is gone from 5 to 75.
        let looks = [
            (0, 0, 1, true),
            (1, 10, 60, false),
            (2, 20, 70, false),
            (8, 80, 80, true),
            (3, 30, 80, false),
            (4, 40, 90, false),
            (7, 70, 120, false),
        ];
        assert_eq!(told(&looks), [(true, 1), (false, 10), (true, 80)]);
    }

    #[test]
    fn what_hangs_for_less_than_a_look_is_waited_for_is_told_all_the_same() {
        // Gone from 5 to 45, and a look is given up after 50.
        let looks = [
            (0, 0, 1, true),
            (5, 50, 51, true),
            (1, 10, 60, false),
            (6, 60, 61, true),
            (2, 20, 70, false),
            (3, 30, 80, false),
            (4, 40, 90, false),
            (9, 90, 91, true),
        ];
        assert_eq!(told(&looks), [(true, 1), (false, 10), (true, 51)]);
    }

    #[test]
    fn one_look_that_hangs_among_others_that_are_answered_is_no_interruption() {
        let looks = [(0, 0, 1, true), (2, 20, 21, true), (3, 30, 31, true), (1, 10, 60, false)];
        assert_eq!(told(&looks), [(true, 1)]);
    }

    #[test]
    fn an_answer_to_a_question_from_before_does_not_bring_the_service_back() {
        let looks = [(0, 0, 1, true), (2, 20, 21, false), (1, 10, 25, true), (3, 30, 31, false), (4, 40, 41, true)];
        assert_eq!(told(&looks), [(true, 1), (false, 20), (true, 41)]);
    }

    #[test]
    fn what_is_down_from_the_beginning_is_told() {
        assert_eq!(told(&[(0, 0, 5, false), (1, 10, 11, false), (2, 20, 21, true)]), [(false, 0), (true, 21)]);
    }

    #[test]
    fn flapping_is_told_each_time() {
        let looks = [(0, 0, 1, true), (1, 10, 11, false), (2, 20, 21, true), (3, 30, 31, false), (4, 40, 41, true)];
        assert_eq!(told(&looks), [(true, 1), (false, 10), (true, 21), (false, 30), (true, 41)]);
    }
}
