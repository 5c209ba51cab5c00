import Domain
import Mapping
import Yams

extension ConditionReading {
    /// `date`: a day such as 2026-12-25, a list of days, or `{in: TABLE}`: the days that are a table's keys, so that
    /// several rules share one list and each day has its name beside it.
    func dates(_ node: Node, _ place: Place) -> Set<CalendarDate>? {
        guard rules.spend(place) else { return nil }
        guard let forms = node.mapping else { return texts(node, place).flatMap { days($0, place) } }
        guard forms.count == 1, let name = forms["in"]?.scalar?.string else {
            rules.report("must be a day such as 2026-12-25, a list of days, or `{in: TABLE}`", place)
            return nil
        }
        guard let keys = rules.tableKeys[name] else {
            let known = rules.tableKeys.keys.sorted()
            rules.report("there is no table `\(name)`\(Nearness.hint(for: name, in: known))", place)
            return nil
        }
        return days(keys, place)
    }

    private func days(_ texts: [String], _ place: Place) -> Set<CalendarDate>? {
        var days: Set<CalendarDate> = []
        for text in texts {
            guard let day = CalendarDate(text) else {
                rules.report("`\(text.prefix(40))` is not a day such as 2026-12-25", place)
                continue
            }
            if !days.insert(day).inserted { rules.report("\(day) is there twice", place) }
        }
        return days
    }
}
