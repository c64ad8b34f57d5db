//! When a service went down and came back, from looks that may overlap and end in any order.

/// What the looks of one watch add up to. `T` is an instant.
#[derive(Debug)]
pub struct Observer<T> {
    /// Whether the service is in order, and since when; none before the first look has ended.
    state: Option<(bool, T)>,
    /// When the last answer came that was right.
    answered: Option<T>,
}

impl<T> Default for Observer<T> {
    fn default() -> Self {
        Self { state: None, answered: None }
    }
}

impl<T: Ord + Copy> Observer<T> {
    /// Takes in a look that began and ended at these instants. Returns since when the service is as it is, if that is news.
    ///
    /// It is down from the beginning of the first look that failed, and up from the end of the first that did not. A look that
    /// failed proves nothing about the time before the last right answer; one that began before the service went down, and ends
    /// well after, proves nothing either.
    pub fn see(&mut self, (begun, ended): (T, T), met: bool) -> Option<T> {
        if !met && self.answered.is_some_and(|answered| begun <= answered) {
            return None;
        }
        if let Some((false, down_since)) = self.state
            && met
            && begun < down_since
        {
            return None;
        }
        if met {
            self.answered = self.answered.max(Some(ended));
        }
        if self.state.is_some_and(|(was_met, _)| was_met == met) {
            return None;
        }
        let since = if met { ended } else { begun };
        self.state = Some((met, since));
        Some(since)
    }
}

#[cfg(test)]
mod tests {
    use super::Observer;

    /// What is told of looks `(begun, ended, met)`.
    fn told(looks: &[(u32, u32, bool)]) -> Vec<(bool, u32)> {
        let mut observer = Observer::default();
        let see = |look: &(u32, u32, bool)| observer.see((look.0, look.1), look.2).map(|since| (look.2, since));
        looks.iter().filter_map(see).collect()
    }

    #[test]
    fn a_service_that_never_stops_is_told_once() {
        assert_eq!(told(&[(0, 1, true), (10, 12, true), (20, 21, true)]), [(true, 1)]);
    }

    #[test]
    fn it_is_down_from_the_first_look_that_fails_to_the_first_that_does_not() {
        let looks = [(0, 1, true), (10, 11, false), (20, 20, false), (30, 33, true), (40, 41, true)];
        assert_eq!(told(&looks), [(true, 1), (false, 10), (true, 33)]);
    }

    #[test]
    fn looks_that_hang_tell_the_beginning_late_but_rightly() {
        // Each look takes 50 until it is given up; the service is gone from 5 to 75.
        let looks = [(0, 1, true), (10, 60, false), (20, 70, false), (80, 81, true), (30, 80, false), (40, 90, false)];
        assert_eq!(told(&looks), [(true, 1), (false, 10), (true, 81)]);
    }

    #[test]
    fn a_look_that_hangs_among_others_that_are_answered_is_no_interruption() {
        let looks = [(0, 1, true), (20, 21, true), (30, 31, true), (10, 60, false)];
        assert_eq!(told(&looks), [(true, 1)]);
    }

    #[test]
    fn an_answer_to_a_question_from_before_does_not_bring_the_service_back() {
        let looks = [(0, 1, true), (20, 21, false), (10, 25, true), (30, 31, false), (40, 41, true)];
        assert_eq!(told(&looks), [(true, 1), (false, 20), (true, 41)]);
    }

    #[test]
    fn what_is_down_from_the_beginning_is_told() {
        assert_eq!(told(&[(0, 5, false), (10, 11, false), (20, 21, true)]), [(false, 0), (true, 21)]);
    }

    #[test]
    fn flapping_is_told_each_time() {
        let looks = [(0, 1, true), (10, 11, false), (20, 21, true), (30, 31, false), (40, 41, true)];
        assert_eq!(told(&looks), [(true, 1), (false, 10), (true, 21), (false, 30), (true, 41)]);
    }
}
