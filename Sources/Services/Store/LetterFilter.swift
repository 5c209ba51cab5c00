package import Domain
import Postgres

/// Which letters are meant. Every part that is given narrows the choice.
package struct LetterFilter: Sendable {
    package var ids: [Int64] = []
    package var group: Int64?
    package var deadLetterClass: DeadLetterClass?
    package var organisation: String?
    package var venue: String?
    /// The document's number in the ledger.
    package var number: String?
    /// Kounta's id of the order.
    package var order: String?
    /// First and last trading day.
    package var from: CalendarDate?
    package var to: CalendarDate?
    /// Exact digits; both ends belong to it.
    package var amountMin: String?
    package var amountMax: String?
    /// A part of the cause, in any case.
    package var text: String?
    package var assignee: String?
    package var states: [LetterState] = LetterState.unclosed

    package init() {}

    /// Nothing but the state says which: then every letter is meant.
    package var isEverything: Bool {
        ids.isEmpty && group == nil && deadLetterClass == nil && organisation == nil && venue == nil && number == nil
            && order == nil && from == nil && to == nil && amountMin == nil && amountMax == nil && text == nil
            && assignee == nil
    }
}

/// A filter as SQL over `dead_letter AS l`: fixed fragments, values as parameters.
struct LetterCondition {
    private(set) var fragments: [String] = []
    private(set) var parameters: [PostgresValue]

    /// - Parameter parameters: those the statement has before the filter's.
    init(_ filter: LetterFilter, after parameters: [PostgresValue] = []) {
        self.parameters = parameters
        // States are the program's own words; as constants they let the planner take the partial indexes.
        let states = filter.states.map { "'\($0.rawValue)'" }.joined(separator: ", ")
        fragments.append(states.isEmpty ? "false" : "l.state IN (\(states))")
        if !filter.ids.isEmpty { add("l.id = ANY(?::bigint[])", .ints(filter.ids.map { $0 })) }
        if let group = filter.group { add("l.group_id = ?", .int(group)) }
        if let deadLetterClass = filter.deadLetterClass { add("l.class = ?", .text(deadLetterClass.rawValue)) }
        if let organisation = filter.organisation { add("l.organisation = ?", .text(organisation)) }
        if let venue = filter.venue { add("l.venue = ?", .text(venue)) }
        if let number = filter.number { add("l.number = ?", .text(number)) }
        if let order = filter.order { add("l.source_id = ?", .text(order)) }
        if let from = filter.from { add("l.business_date >= ?", .date(from.description)) }
        if let to = filter.to { add("l.business_date <= ?", .date(to.description)) }
        if let amount = filter.amountMin { add("l.amount >= ?", .numeric(amount)) }
        if let amount = filter.amountMax { add("l.amount <= ?", .numeric(amount)) }
        if let text = filter.text { add("position(lower(?) in lower(l.cause)) > 0", .text(text)) }
        if let assignee = filter.assignee { add("l.assignee = ?", .text(assignee)) }
    }

    private mutating func add(_ fragment: String, _ value: PostgresValue) {
        parameters.append(value)
        fragments.append(fragment.replacing("?", with: "$\(parameters.count)"))
    }

    var sql: String { fragments.joined(separator: " AND ") }
}
