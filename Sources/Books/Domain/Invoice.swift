package import Money

/// A sales invoice as it will stand in the ledger, with the payments that settle it. Amounts are GST-inclusive.
package struct Invoice: Sendable, Equatable {
    package var number: DocumentNumber
    package var reference: String
    package var date: CalendarDate
    package var dueDate: CalendarDate
    package var currency: String
    /// The `ContactNumber` of the customer, or of the venue's walk-in contact.
    package var contactNumber: String
    package var lines: [InvoiceLine]
    package var payments: [InvoicePayment]

    package init(
        number: DocumentNumber, reference: String, date: CalendarDate, dueDate: CalendarDate, currency: String,
        contactNumber: String, lines: [InvoiceLine], payments: [InvoicePayment]
    ) {
        self.number = number
        self.reference = reference
        self.date = date
        self.dueDate = dueDate
        self.currency = currency
        self.contactNumber = contactNumber
        self.lines = lines
        self.payments = payments
    }

    // Plain loops: asked for several times a document, and generic sums are not specialised across rooms.
    package var total: Money {
        var sum = Money.zero
        for line in lines { sum += line.amount }
        return sum
    }
    package var paid: Money {
        var sum = Money.zero
        for payment in payments { sum += payment.amount }
        return sum
    }
}

package struct InvoiceLine: Sendable, Equatable {
    package var description: String
    package var quantity: ExactDecimal
    /// `quantity × unitAmount` is `amount` exactly; at most four decimals, as Xero takes with `unitdp=4`.
    package var unitAmount: ExactDecimal
    package var amount: Money
    package var account: String
    package var taxType: String
    package var tracking: Tracking?

    package init(
        description: String, quantity: ExactDecimal = .one, unitAmount: ExactDecimal? = nil, amount: Money,
        account: String, taxType: String, tracking: Tracking?
    ) {
        self.description = description
        self.quantity = quantity
        self.unitAmount = unitAmount ?? amount.decimal
        self.amount = amount
        self.account = account
        self.taxType = taxType
        self.tracking = tracking
    }
}

/// One of Xero's tracking categories and the option chosen in it.
package struct Tracking: Sendable, Hashable {
    package var category: String
    package var option: String

    package init(category: String, option: String) {
        self.category = category
        self.option = option
    }
}

package struct InvoicePayment: Sendable, Equatable {
    package var account: String
    package var amount: Money
    package var date: CalendarDate
    package var reference: String

    package init(account: String, amount: Money, date: CalendarDate, reference: String) {
        self.account = account
        self.amount = amount
        self.date = date
        self.reference = reference
    }
}
