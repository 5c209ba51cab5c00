package import Domain
import Money

/// Turns one completed order into one invoice with its payments, or says why it cannot be booked.
///
/// Pure: the same order and books give the same invoice, to the byte. What must stay true: the invoice's total is what
/// the customer owed to the cent, and its payments are what the till took.
package struct OrderMapping: Sendable {
    private let books: VenueBooks

    package init(books: VenueBooks) { self.books = books }

    package func invoice(for order: Order) throws(Park) -> Invoice {
        try requireBookable(order)
        guard let total = Money(exactly: order.total) else {
            throw Park(
                .value, "Order \(order.id): its total \(order.total) is not an amount in whole cents.",
                remedy: "Correct the order in Kounta, then replay it.")
        }
        guard !total.isNegative else {
            throw Park(
                .value, "Order \(order.id): its total \(total) is negative, and a sales invoice cannot be.",
                remedy: "It looks like a refund: post a credit note for it by hand, then discard this letter.")
        }
        let settlement = try Settlement(order: order, total: total)
        let goods = total - settlement.tipsInsideTotal
        var lines = try saleLines(of: order, adding: goods)
        if !settlement.tips.isZero {
            lines.append(outsideLine("Tips", settlement.tips, account: books.accounts.tips))
        }
        // Cash is paid in steps of 5 cents, so what was taken may differ a little from what was owed.
        var taken = Money.zero
        for tender in settlement.tenders { taken += tender.amount }
        var gap = taken
        for line in lines { gap += -line.amount }
        if !gap.isZero {
            guard gap.magnitude <= books.roundingMax else {
                throw Park(
                    .value,
                    "Order \(order.id): the till took \(taken), but total and tips come to \(taken - gap).",
                    remedy: "Check the order's payments in Kounta, then replay it.")
            }
            lines.append(outsideLine("Cash rounding", gap, account: books.accounts.rounding))
        }
        let date = books.timeZone.date(at: order.createdAt)
        return Invoice(
            number: DocumentNumber(prefix: books.numberPrefix, order: order.id),
            reference: reference(of: order), date: date, dueDate: date.adding(days: books.paymentTermDays),
            currency: books.currency, contactNumber: books.contactNumber, lines: lines,
            payments: try payments(settlement, of: order, on: date))
    }

    private func requireBookable(_ order: Order) throws(Park) {
        guard order.isComplete else {
            throw Park(
                .value, "Order \(order.id) is \(order.status), not complete.",
                remedy: "It comes again by itself when it is complete: discard this letter.")
        }
        guard !order.isDeleted else {
            throw Park(
                .value, "Order \(order.id) was deleted in Kounta.",
                remedy: "If its invoice stands in Xero, void it there; then discard this letter.")
        }
        guard !order.isRefund else {
            throw Park(
                .value, "Order \(order.id) is a refund of \(order.total).",
                remedy: "Post a credit note for it by hand, then discard this letter.")
        }
        guard !order.lines.isEmpty else {
            throw Park(
                .value, "Order \(order.id) has a total of \(order.total) but no lines.",
                remedy: "Correct the order in Kounta, then replay it.")
        }
    }

    private func reference(of order: Order) -> String {
        let number = order.saleNumber.flatMap { $0.isEmpty ? nil : $0 } ?? order.id.text
        return String(
            number.unicodeScalars.filter { $0.value >= 0x20 && $0.value != 0x7F }.prefix(255).map(Character.init))
    }

    // MARK: lines

    private func saleLines(of order: Order, adding goods: Money) throws(Park) -> [InvoiceLine] {
        guard let reading = bestReading(of: order, adding: goods) else {
            throw Park(
                .value, "Order \(order.id): an amount is beyond \(Money.max).",
                remedy: "Correct the order in Kounta, then replay it.")
        }
        let gap = goods - reading.sum
        guard gap.magnitude <= books.roundingMax else {
            throw Park(
                .value, "Order \(order.id): its lines come to \(reading.sum), its total is \(goods).",
                remedy: "Check the order's discounts in Kounta, then replay it.")
        }
        var lines: [InvoiceLine] = []
        lines.reserveCapacity(order.lines.count + 2)
        for (line, amount) in zip(order.lines, reading.lines) {
            lines.append(try saleLine(line, amount, of: order))
        }
        if !reading.orderVariation.isZero {
            try lines.append(contentsOf: variationLines(reading.orderVariation, over: lines, of: order))
        }
        if !gap.isZero { lines.append(outsideLine("Rounding", gap, account: books.accounts.rounding)) }
        return lines
    }

    private struct Reading {
        let lines: [Money]
        let orderVariation: Money
        let sum: Money
    }

    /// The reading whose sum is nearest to the total; the earlier one wins a tie.
    private func bestReading(of order: Order, adding goods: Money) -> Reading? {
        var best: Reading?
        for candidate in LineReading.candidates(for: order) {
            guard let (lines, variation) = candidate.amounts(of: order) else { continue }
            let reading = Reading(lines: lines, orderVariation: variation, sum: lines.sum() + variation)
            if let known = best, (goods - known.sum).magnitude <= (goods - reading.sum).magnitude { continue }
            best = reading
        }
        return best
    }

    private func saleLine(_ line: OrderLine, _ amount: Money, of order: Order) throws(Park) -> InvoiceLine {
        let taxType = try taxType(of: line, of: order)
        let name = description(line.name)
        // Quantity and unit price only where their product is the line's amount exactly: Xero checks it.
        if line.quantity > .zero, line.quantity.trimmed.scale <= 4,
            let unit = amount.decimal.exactlyDivided(by: line.quantity, scale: 4)
        {
            return InvoiceLine(
                description: name, quantity: line.quantity.trimmed, unitAmount: unit.trimmed, amount: amount,
                account: books.accounts.sales, taxType: taxType, tracking: books.tracking)
        }
        return InvoiceLine(
            description: line.quantity == .one ? name : description("\(line.quantity.trimmed) × \(line.name)"),
            amount: amount, account: books.accounts.sales, taxType: taxType, tracking: books.tracking)
    }

    /// Xero needs a description, of at most 4,000 characters.
    private func description(_ text: String) -> String {
        text.isEmpty ? "Sale" : text.utf8.count <= 4000 ? text : String(text.prefix(1000))
    }

    private func taxType(of line: OrderLine, of order: Order) throws(Park) -> String {
        guard line.taxRates.count <= 1 else {
            throw Park(
                .mapping, "Order \(order.id), line \(line.number) (\(line.name)) carries \(line.taxRates.count) taxes.",
                remedy: "Give the product a single tax in Kounta, or post this sale by hand.")
        }
        let rate = line.taxRates.first ?? .zero
        guard let type = books.taxTypes[rate] else {
            throw Park(
                .mapping,
                "Order \(order.id), line \(line.number) (\(line.name)): no tax type is set for a rate of \(rate).",
                remedy: "Add the rate under `taxes` of organisation \(books.organisation), then replay.")
        }
        return type
    }

    /// An order-level discount or surcharge, spread over the tax types of the lines by their share so that each tax
    /// is reduced by its part and the parts add up.
    private func variationLines(
        _ variation: Money, over lines: [InvoiceLine], of order: Order
    ) throws(Park) -> [InvoiceLine] {
        var types: [String] = []
        var sums: [Money] = []
        for line in lines {
            if let index = types.firstIndex(of: line.taxType) {
                sums[index] += line.amount
            } else {
                types.append(line.taxType)
                sums.append(line.amount)
            }
        }
        guard let parts = variation.allotted(by: sums) else {
            throw Park(
                .value, "Order \(order.id): \(variation) of discount or surcharge on lines that come to 0.00.",
                remedy: "Correct the order in Kounta, then replay it.")
        }
        return zip(types, parts).compactMap { type, part in
            guard !part.isZero else { return nil }
            return InvoiceLine(
                description: variation.isNegative ? "Order discount" : "Order surcharge", amount: part,
                account: books.accounts.sales, taxType: type, tracking: books.tracking)
        }
    }

    private func outsideLine(_ description: String, _ amount: Money, account: String) -> InvoiceLine {
        InvoiceLine(
            description: description, amount: amount, account: account, taxType: books.accounts.outsideTaxType,
            tracking: books.tracking)
    }

    // MARK: payments

    private func payments(
        _ settlement: Settlement, of order: Order, on date: CalendarDate
    ) throws(Park) -> [InvoicePayment] {
        var payments: [InvoicePayment] = []
        for tender in settlement.tenders where !tender.amount.isZero {
            guard let account = books.clearingAccounts[tender.method.lowercased()] ?? books.fallbackClearingAccount
            else {
                throw Park(
                    .mapping, "Order \(order.id): no clearing account is set for payments by \"\(tender.method)\".",
                    remedy: "Add it under `payment_methods` of organisation \(books.organisation), then replay.")
            }
            payments.append(
                InvoicePayment(
                    account: account, amount: tender.amount,
                    date: tender.paidAt.map(books.timeZone.date(at:)) ?? date, reference: tender.method))
        }
        return payments
    }
}
