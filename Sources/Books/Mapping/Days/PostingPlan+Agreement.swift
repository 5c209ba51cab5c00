package import Domain

extension PostingPlan {
    /// This plan for the days to come, and what was agreed on for days that have begun: another mode takes effect at
    /// the boundary of a day, so that no day is posted half in one mode and half in the other.
    ///
    /// - Parameters:
    ///   - known: what was agreed on, by first day; empty where the venue is new.
    ///   - today: the trading day that is under way; it and the days before stay as they are.
    package func bound(to known: [Period], through today: CalendarDate) -> PostingPlan {
        guard let first = known.first else { return merged([]) }
        var plan = self
        let past = known.dropFirst().filter { $0.from <= today }
        let tomorrow = today.adding(days: 1)
        plan.initial = first.mode
        let future = [Period(from: tomorrow, mode: mode(on: tomorrow))] + periods.filter { $0.from > tomorrow }
        return plan.merged(past + future)
    }

    /// With these periods; those that change nothing are left out.
    private func merged(_ periods: [Period]) -> PostingPlan {
        var plan = self
        var mode = plan.initial
        plan.periods = (periods.isEmpty ? self.periods : periods).filter { period in
            defer { mode = period.mode }
            return period.mode != mode
        }
        return plan
    }
}
