import JSON
import KountaSimulator

/// Orders that are corrected at the till while the fleet is in trouble: the ledger must end with the corrected version,
/// however late the old one comes once more.
actor ChaosEdits {
    private let fleet: Fleet
    /// Order id → the sale number it was given, which the invoice's reference must show.
    private var made: [String: String] = [:]
    private(set) var deleted: Set<String> = []
    private var refunded: Set<String> = []

    init(_ fleet: Fleet) { self.fleet = fleet }

    /// Gives so many sales that the till has by now another sale number. Not a refund: that one is booked as a credit
    /// note, and here it is invoices that are looked at.
    func make(_ count: Int, seed: UInt64) async throws {
        var numbers = SeededNumbers(seed: seed, stream: 0xED17)
        let till = try await fleet.kounta.get("/_control/ledger?orders=1")
        let unbelievable = Set((till["unbelievable"]?.elements ?? []).compactMap(\.numberText))
        var ids = (till["orders"]?.elements ?? []).filter { $0["total"]?.numberText?.hasPrefix("-") == false }
            .compactMap { $0["id"]?.numberText }.filter { !unbelievable.contains($0) }.sorted()
        var left = count
        while left > 0, !ids.isEmpty {
            let id = ids.remove(at: numbers.below(ids.count))
            guard isUntouched(id) else { continue }
            left -= 1
            // Noted first: while the till is told, the other kind of change chooses among the rest.
            let saleNumber = "CORRECTED-\(id)"
            made[id] = saleNumber
            try await fleet.kounta.post("/_control/edit/\(id)", #"{"sale_number":"\#(saleNumber)"}"#)
        }
    }

    /// So long corrections are waited for: sales that stand, and then the ledger that shows what became of them.
    private static let waitMax = Duration.seconds(10)

    /// Of sales that stand in the ledger, paid, so many are corrected, by turns: entered with the goods and payments of
    /// another, deleted, given back whole. Returns when the ledger shows all of it, or after a while: whoever is to die
    /// of a correction has had its turn then.
    func correct(_ count: Int, seed: UInt64) async throws {
        var numbers = SeededNumbers(seed: seed, stream: 0xC0DE)
        var posted: [String] = []
        try await wait {
            posted = try await self.postedOrders()
            return posted.count >= 2 * count
        }
        for turn in 0..<min(count, posted.count / 2) {
            let id = posted.remove(at: numbers.below(posted.count))
            guard isUntouched(id) else { continue }
            switch turn % 3 {
            case 0:
                let other = numbers.pick(posted)
                let saleNumber = "CORRECTED-\(id)"
                made[id] = saleNumber
                try await fleet.kounta.post(
                    "/_control/enter/\(id)", #"{"as":\#(other),"sale_number":"\#(saleNumber)"}"#)
            case 1:
                deleted.insert(id)
                try await fleet.kounta.post("/_control/delete/\(id)", "{}")
            default:
                refunded.insert(id)
                try await fleet.kounta.post("/_control/refund/\(id)", "{}")
            }
        }
        try await wait { try await self.missing().isEmpty }
    }

    private func isUntouched(_ id: String) -> Bool {
        made[id] == nil && !deleted.contains(id) && !refunded.contains(id)
    }

    private func wait(_ condition: () async throws -> Bool) async throws {
        let start = ContinuousClock.now
        while try await !condition(), .now - start < Self.waitMax { try await Task.sleep(for: .milliseconds(100)) }
    }

    /// Ids of orders whose invoice stands, paid, and that nobody has corrected yet.
    private func postedOrders() async throws -> [String] {
        let ledger = try await fleet.xero.get("/_control/ledger")
        var ids: [String] = []
        for books in ledger["organisations"]?.elements ?? [] {
            for invoice in books["invoices"]?.elements ?? [] where invoice["Status"]?.string == "PAID" {
                guard let last = invoice["InvoiceNumber"]?.string?.split(separator: "-").last else { continue }
                if isUntouched(String(last)) { ids.append(String(last)) }
            }
        }
        return ids.sorted()
    }

    /// Sentences about corrections that the ledger does not show.
    func missing() async throws -> [String] {
        guard !made.isEmpty || !deleted.isEmpty || !refunded.isEmpty else { return [] }
        let ledger = try await fleet.xero.get("/_control/ledger")
        var references: [String: String] = [:]
        var notes = 0
        for books in ledger["organisations"]?.elements ?? [] {
            for invoice in books["invoices"]?.elements ?? [] where invoice["Status"]?.string != "VOIDED" {
                guard let number = invoice["InvoiceNumber"]?.string else { continue }
                // `HBR-5000000012`, or `-r1` behind it.
                let parts = number.split(separator: "-")
                if parts.count > 1 { references[String(parts[1])] = invoice["Reference"]?.string ?? "" }
            }
            notes += books["creditNotes"]?.elements.count { $0["Status"]?.string == "PAID" } ?? 0
        }
        let standing = deleted.filter { references[$0] != nil }.sorted()
        var sentences = standing.map { "order \($0) was deleted, and its invoice stands" }
        if notes != refunded.count { sentences.append("\(refunded.count) orders were given back, \(notes) stand so") }
        return sentences + made.sorted { $0.key < $1.key }.compactMap { id, saleNumber in
            guard references[id]?.contains(saleNumber) != true else { return nil }
            return "order \(id) was corrected to \(saleNumber), its invoice says \(references[id] ?? "nothing")"
        }
    }
}
