package import Domain
package import Money

/// What one document of an order, or one till's variance, adds to its trading day: the day's summary is the sum of its
/// entries, and an adjustment is what entries came to later less what they came to when the day was closed.
package struct DayEntry: Sendable, Equatable {
    package enum Source: Sendable, Hashable {
        case order(OrderID, DocumentSlot)
        /// Counted less recorded takings of a payment method.
        case variance(method: String)
    }

    /// What makes one line of a summary.
    package struct Group: Sendable, Hashable {
        package var account: String
        package var taxType: String
        package var tracking: [Tracking]
        /// What the operator groups by besides, say a category; empty where nothing is asked for.
        package var label: String

        package init(account: String, taxType: String, tracking: [Tracking], label: String = "") {
            self.account = account
            self.taxType = taxType
            self.tracking = tracking
            self.label = label
        }
    }

    package struct Part: Sendable, Equatable {
        package var group: Group
        package var amount: Money

        package init(group: Group, amount: Money) {
            self.group = group
            self.amount = amount
        }
    }

    package var source: Source
    package var day: CalendarDate
    /// Takes from the day instead of adding to it; amounts are positive all the same.
    package var isRefund: Bool
    package var parts: [Part]
    package var payments: [LedgerPayment]

    package init(source: Source, day: CalendarDate, isRefund: Bool, parts: [Part], payments: [LedgerPayment]) {
        self.source = source
        self.day = day
        self.isRefund = isRefund
        self.parts = parts
        self.payments = payments
    }

    package var total: Money { parts.lazy.map(\.amount).sum() }
    package var signedTotal: Money { isRefund ? -total : total }
}

extension OrderMapping {
    /// Whether a document is one of its own in either way of posting: a named customer owes it, or it is in another
    /// currency than the venue's summaries.
    package func standsAlone(_ document: LedgerDocument) -> Bool {
        document.isOnAccount || document.currency != currency
    }

    /// The entries of an order that goes into a summary: one a document, each on the document's own day. What stands
    /// alone has none.
    package func entries(of documents: [LedgerDocument], for order: Order) -> [DayEntry] {
        documents.filter { !standsAlone($0) }.map { document in
            var parts: [DayEntry.Part] = []
            for line in document.lines where !line.amount.isZero {
                let group = DayEntry.Group(
                    account: line.account, taxType: line.taxType, tracking: line.tracking,
                    label: books.posting.grouping.isEmpty ? "" : label(of: line, order))
                if let index = parts.firstIndex(where: { $0.group == group }) {
                    parts[index].amount += line.amount
                } else {
                    parts.append(DayEntry.Part(group: group, amount: line.amount))
                }
            }
            return DayEntry(
                source: .order(order.id, document.slot), day: document.day, isRefund: document.kind == .creditNote,
                parts: parts, payments: document.payments)
        }
    }

    /// What the operator groups by, of one line: `Drinks, Front bar`.
    private func label(of line: LedgerLine, _ order: Order) -> String {
        let sold = line.source.flatMap { order.lines.indices.contains($0) ? order.lines[$0] : nil }
        let words = books.posting.grouping.map { grouping -> String in
            switch grouping {
            case .product: sold?.name ?? line.description
            case .category: category(of: sold) ?? line.description
            case .register: order.register.map { books.registers[$0] ?? "Register \($0)" } ?? "No register"
            case .orderType: order.type ?? "No order type"
            }
        }
        return words.joined(separator: ", ")
    }

    private func category(of line: OrderLine?) -> String? {
        guard let line else { return nil }
        return line.categories.first ?? line.product.flatMap { books.products[$0]?.categories.first } ?? "No category"
    }
}
