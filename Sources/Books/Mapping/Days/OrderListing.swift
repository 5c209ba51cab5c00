package import Domain
import Money

/// The listing of a day's orders that goes with its summary: comma-separated text (RFC 4180), UTF-8, one row an order.
///
/// It is opened in spreadsheets and holds texts that customers and staff typed, so no text may be taken for a formula.
package struct OrderListing: Sendable {
    private let zone: TimeZoneRules
    private var rows: [[UInt8]] = []

    private static let header = [
        "Order", "Sale number", "Kind", "Time", "Register", "Type", "Staff", "Customer", "Total", "Tax", "Payments",
        "On account",
    ]

    /// - Parameter zone: the venue's; times are shown on its clock.
    package init(zone: TimeZoneRules) { self.zone = zone }

    /// The documents are the order's own, as ``OrderMapping`` makes them.
    package mutating func add(_ order: Order, _ documents: [LedgerDocument]) {
        for document in documents {
            let sign: (Money) -> Money = { document.kind == .creditNote ? -$0 : $0 }
            let payments = document.payments.map { "\($0.method) \(sign($0.amount))" }.joined(separator: "; ")
            rows.append(
                Self.row([
                    Self.text(order.id.text), Self.text(order.saleNumber ?? ""),
                    document.kind == .invoice ? "Sale" : "Refund", time(order.createdAt),
                    Self.text(order.register ?? ""), Self.text(order.type ?? ""), Self.text(order.staff ?? ""),
                    Self.text(order.customer?.name ?? ""), sign(document.total).description,
                    sign(document.tax).description, Self.text(payments),
                    document.isOnAccount ? document.due.description : "",
                ]))
        }
    }

    /// The whole file, with its header.
    package var bytes: [UInt8] {
        var bytes = Self.row(Self.header)
        for row in rows { bytes.append(contentsOf: row) }
        return bytes
    }

    /// `2026-11-23 20:15` on the venue's clock.
    private func time(_ moment: Instant) -> String {
        let local = moment.adding(seconds: Int64(zone.offset(at: moment))).description
        return local.prefix(10) + " " + local.dropFirst(11).prefix(5)
    }

    /// Spreadsheets run what begins so; an apostrophe in front makes it text again.
    static func text(_ text: String) -> String {
        guard let first = text.unicodeScalars.first else { return text }
        switch first {
        case "=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠": return "'" + text
        default: return text
        }
    }

    private static func row(_ fields: [String]) -> [UInt8] {
        var bytes: [UInt8] = []
        for (index, field) in fields.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            let needsQuotes = field.utf8.contains { $0 == 0x22 || $0 == 0x2C || $0 == 0x0A || $0 == 0x0D }
                || field.first == " " || field.last == " "
            guard needsQuotes else {
                bytes.append(contentsOf: field.utf8)
                continue
            }
            bytes.append(UInt8(ascii: "\""))
            for byte in field.utf8 {
                if byte == UInt8(ascii: "\"") { bytes.append(byte) }
                bytes.append(byte)
            }
            bytes.append(UInt8(ascii: "\""))
        }
        bytes.append(contentsOf: [0x0D, 0x0A])
        return bytes
    }
}
