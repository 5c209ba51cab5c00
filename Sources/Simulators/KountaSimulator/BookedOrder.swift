import JSON

/// An order on the shelves: its record as bytes, and what the ledger needs to know of it.
struct BookedOrder: Sendable {
    let id: Int64
    let company: Int64
    let site: Int64
    let register: Int64
    /// Unix seconds.
    let createdAt: Int64
    let status: String
    let isDeleted: Bool
    /// Waits for a customer's account to be settled.
    let isOnAccount: Bool
    let detail: [UInt8]
    let row: [UInt8]
    /// Nil where the record cannot be believed, so that the ledger leaves it out.
    let figures: OrderFigures?

    var isComplete: Bool { (status == "COMPLETE" || status == "COMPLETED") && !isDeleted }
}

/// The truth about a complete order, in cents; a refund's are negative however the record writes them.
struct OrderFigures: Sendable {
    var total: Int64
    var tips: Int64
    /// What customers paid for it in all, before cash rounding: goods and tips.
    var due: Int64
    var paid: Int64
    var tax: Int64
    var takings: [(method: Int64, cents: Int64)]
}

/// Why a record cannot be put on a shelf at all.
struct RecordProblem: Error, CustomStringConvertible {
    let description: String
}

extension BookedOrder {
    private static let rowFields: [(from: StaticString, to: StaticString)] = [
        ("id", "id"), ("id_str", "id_str"), ("company_id", "company_id"), ("sale_number", "sale_number"),
        ("status", "status"), ("notes", "notes"), ("site_id", "site_id"), ("register_id", "register_id"),
        ("staff_member_id", "staff_id"), ("total", "total"), ("total_tax", "total_tax"), ("paid", "paid"),
        ("deleted", "deleted"), ("created_at", "created_at"), ("updated_at", "updated_at"),
        ("order_type", "order_type"), ("is_refund", "is_refund"), ("refunded_order_id", "refunded_order_id"),
    ]

    /// Takes any record in that names its order, its company and its time; whatever else is wrong with it is served
    /// as it is.
    init(
        _ detail: [UInt8], company: Int64? = nil, isOnAccount: Bool = false, isBad: Bool = false, tipsInTotal: Bool
    ) throws {
        let record: JSON
        do { record = try JSON(parsing: detail) } catch { throw RecordProblem(description: error.description) }
        guard let id = record["id"]?.integer ?? record["id_str"]?.string.flatMap({ Int64($0) }) else {
            throw RecordProblem(description: "the order has no id")
        }
        guard let company = company ?? record["company_id"]?.integer else {
            throw RecordProblem(description: "order \(id) has no company_id")
        }
        guard let createdAt = (record["created_at"]?.string).flatMap(SydneyClock.parse) else {
            throw RecordProblem(description: "order \(id) has no created_at that can be read")
        }
        self.id = id
        self.company = company
        site = record["site_id"]?.integer ?? 0
        register = record["register_id"]?.integer ?? 0
        self.createdAt = createdAt
        status = record["status"]?.string?.uppercased() ?? "COMPLETE"
        isDeleted = record["deleted"]?.bool ?? false
        self.isOnAccount = isOnAccount
        self.detail = detail
        figures = isBad ? nil : OrderFigures(record, tipsInTotal: tipsInTotal)
        var writer = JSONWriter(capacity: 480)
        writer.object { writer in
            for field in Self.rowFields {
                guard let value = record[field.from] else { continue }
                writer.key(field.to)
                writer.raw(value.raw)
            }
        }
        row = writer.bytes
    }
}

extension OrderFigures {
    /// Nil where an amount is missing or no number, or a sale's total is negative.
    init?(_ record: JSON, tipsInTotal: Bool) {
        let isRefund = record["is_refund"]?.bool ?? false
        guard let stated = record["total"]?.cents, stated >= 0 || isRefund else { return nil }
        let sign: Int64 = isRefund && stated > 0 ? -1 : 1
        var tips: Int64 = 0
        var takings: [(method: Int64, cents: Int64)] = []
        for payment in record["payments"]?.elements ?? [] {
            guard let amount = payment["amount"]?.cents else { return nil }
            let tip = payment["tip"] == nil ? 0 : payment["tip"]?.cents
            guard let tip else { return nil }
            tips += tip * sign
            takings.append((payment["method"]?["id"]?.integer ?? 0, amount * sign))
        }
        if record["payments"] == nil, let stated = record["tips"]?.cents { tips = stated * sign }
        total = stated * sign
        self.tips = tips
        due = tipsInTotal ? total : total + tips
        paid = (record["paid"]?.cents ?? 0) * sign
        tax = (record["total_tax"]?.cents ?? 0) * sign
        self.takings = takings
    }
}

extension JSON {
    /// An amount in cents, written as a number or as a string; nil where it is none.
    var cents: Int64? {
        switch kind {
        case .number: Amounts.cents(raw)
        case .string: Amounts.cents(raw.dropFirst().dropLast())
        default: nil
        }
    }
}
