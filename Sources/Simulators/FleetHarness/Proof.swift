import JSON

/// Whether till and ledger agree, and what a person wants to see of it; the last line is the proof.
protocol BookProof: Sendable {
    var holds: Bool { get }
    var lines: [String] { get }
}

/// What the till says against what the ledger says, order by order, from the two simulators' own books.
struct Proof: BookProof {
    struct Row: Sendable {
        var venue: String
        var orders = 0
        var till = Cents()
        var invoices = 0
        var ledger = Cents()
        var unpaid = Cents()
    }

    var rows: [Row] = []
    var missing: [String] = []
    var doubled: [String] = []
    var different: [String] = []
    var strangers: [String] = []
    var dead = 0
    var queued = 0

    init(plan: FleetPlan, till: JSON, ledger: JSON, dead: Int, queued: Int) throws {
        self.dead = dead
        self.queued = queued
        let documents = try Self.documents(ledger, plan)
        var known: Set<String> = []
        for venue in plan.venues {
            var row = Row(venue: venue.name)
            for order in till["orders"]?.elements ?? [] where order["site"]?.numberText == venue.site {
                // What the customer paid: the order's total, tips and the till's own cash rounding.
                guard let id = order["id"]?.numberText, let due = Cents(order["paid"]?.numberText) else {
                    throw HarnessError("the till's ledger holds an order without id or amount")
                }
                let number = "\(venue.organisation)/\(venue.prefix)-\(id)"
                known.insert(number)
                row.orders += 1
                row.till = row.till + due
                let found = documents[number] ?? []
                if found.isEmpty { missing.append(number) }
                if found.count > 1 { doubled.append(number) }
                for invoice in found {
                    row.invoices += 1
                    row.ledger = row.ledger + invoice.total
                    row.unpaid = row.unpaid + invoice.due
                    if invoice.total != due {
                        different.append("\(number): till \(due.text), ledger \(invoice.total.text)")
                    }
                }
            }
            rows.append(row)
        }
        strangers = documents.keys.filter { !known.contains($0) }.sorted()
    }

    /// What stands, by organisation and number. A later revision of a document (`-r1`) stands for its order; what a
    /// credit note gives back is negative, as the till has it.
    private static func documents(_ ledger: JSON, _ plan: FleetPlan) throws -> [String: [(total: Cents, due: Cents)]] {
        var result: [String: [(total: Cents, due: Cents)]] = [:]
        for books in ledger["organisations"]?.elements ?? [] {
            let tenant = books["tenantId"]?.string
            let key = plan.organisations.first { $0.tenant == tenant }?.key ?? "unknown"
            let all = (books["invoices"]?.elements ?? []) + (books["creditNotes"]?.elements ?? [])
            for document in all where document["Status"]?.string != "VOIDED" {
                let note = document["CreditNoteNumber"]?.string
                guard let number = note ?? document["InvoiceNumber"]?.string,
                    let total = Cents(document["Total"]?.numberText), let due = Cents(document["AmountDue"]?.numberText)
                else { throw HarnessError("the ledger holds a document without number or amount") }
                result["\(key)/\(order(of: number))", default: []].append((note == nil ? total : Cents() - total, due))
            }
        }
        return result
    }

    /// `HBR-5000000012` of that and of `HBR-5000000012-r1`.
    private static func order(of number: String) -> String {
        let parts = number.split(separator: "-")
        guard parts.count == 3, parts[2].first == "r", Int(parts[2].dropFirst()) != nil else { return number }
        return "\(parts[0])-\(parts[1])"
    }

    var orders: Int { rows.reduce(0) { $0 + $1.orders } }
    var invoices: Int { rows.reduce(0) { $0 + $1.invoices } }
    var till: Cents { rows.reduce(Cents()) { $0 + $1.till } }
    var ledger: Cents { rows.reduce(Cents()) { $0 + $1.ledger } }
    var unpaid: Cents { rows.reduce(Cents()) { $0 + $1.unpaid } }

    var holds: Bool {
        orders > 0 && missing.isEmpty && doubled.isEmpty && different.isEmpty && strangers.isEmpty && dead == 0
            && queued == 0 && unpaid.value == 0 && rows.allSatisfy { $0.till == $0.ledger }
    }

    var lines: [String] {
        let header = ["venue", "orders", "till", "invoices", "ledger", "unpaid", "difference"]
        let body = rows.map { row in
            [
                row.venue, String(row.orders), row.till.text, String(row.invoices), row.ledger.text, row.unpaid.text,
                (row.till - row.ledger).text,
            ]
        }
        return Self.table([header] + body) + Self.complaints([
            ("missing in the ledger", missing), ("twice in the ledger", doubled), ("another amount", different),
            ("in the ledger but not in the till", strangers),
        ], queued: queued) + [
            "proof: \(orders) orders, \(invoices) invoices, till \(till.text), ledger \(ledger.text), "
                + "difference \((till - ledger).text), missing \(missing.count), "
                + "doubled \(doubled.count), dead \(dead)"
        ]
    }
}

extension BookProof {
    /// At most ten of each kind.
    static func complaints(_ found: [(what: String, list: [String])], queued: Int) -> [String] {
        var lines: [String] = []
        for (what, list) in found {
            lines += list.prefix(10).map { "\(what): \($0)" }
            if list.count > 10 { lines.append("… and \(list.count - 10) more") }
        }
        if queued > 0 { lines.append("\(queued) messages are left in the queues") }
        return lines
    }

    /// Columns in line: the first to the left, figures to the right.
    static func table(_ rows: [[String]]) -> [String] {
        let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            row.indices.map { column in
                let pad = String(repeating: " ", count: widths[column] - row[column].count)
                return column == 0 ? row[column] + pad : pad + row[column]
            }.joined(separator: "  ")
        }
    }
}
