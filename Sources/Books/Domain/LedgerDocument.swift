package import Money

/// A document as it will stand in the ledger: a sales invoice, or a credit note that takes one back.
///
/// Amounts are GST-inclusive and count in the document's own direction: a refund of 10.00 is a credit note whose lines
/// come to 10.00. What must stay true: the lines come to what the till says, to the cent, and payments and allocations
/// never come to more than the lines.
package struct LedgerDocument: Sendable, Equatable {
    package enum Kind: String, Sendable, Hashable, CaseIterable {
        case invoice = "ACCREC"
        case creditNote = "ACCRECCREDIT"
    }

    package var kind = Kind.invoice
    package var slot = DocumentSlot.sale
    package var number: DocumentNumber
    package var reference: String
    /// As the ledger dates it: the trading day or, where that is locked, the first open one.
    package var date: CalendarDate
    /// The trading day it belongs to, whatever it had to be dated.
    package var day: CalendarDate
    package var dueDate: CalendarDate
    package var currency: String
    /// The `ContactNumber` of the customer, or of the venue's walk-in contact.
    package var contactNumber: String
    /// The contact's name where a rule or the order names one; the venue's walk-in contact has its own.
    package var contactName: String?
    /// The customer where the contact is theirs.
    package var customer: Customer?
    package var brandingTheme: String?
    /// Where the sale can be seen: Xero shows a link to it. Invoices only.
    package var url: String?
    package var lines: [LedgerLine]
    /// Of an invoice: what was paid. Of a credit note: what was paid back, out of the same accounts.
    package var payments: [LedgerPayment]
    /// Of a credit note: the open invoices it settles instead of money paid back.
    package var allocations: [LedgerAllocation] = []
    /// Sold to a named customer's account: its own invoice in either way of posting, left unpaid.
    package var isOnAccount = false
    /// The tax inside the total as the till worked it out; nil where the till does not say.
    package var tillTax: Money?
    /// Why the document is there and is as it is, a sentence each: kept with it.
    package var reasons: [String] = []
    /// What a person should know though it was booked.
    package var warnings: [String] = []

    package init(
        number: DocumentNumber, reference: String, date: CalendarDate, dueDate: CalendarDate, currency: String,
        contactNumber: String, lines: [LedgerLine], payments: [LedgerPayment]
    ) {
        self.number = number
        self.reference = reference
        self.date = date
        day = date
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
    package var allocated: Money { allocations.lazy.map(\.amount).sum() }
    /// What stays open once payments and allocations stand.
    package var due: Money { total - paid - allocated }
    /// As Xero will come to: each line's tax by itself, half up to the cent, then added.
    package var tax: Money { lines.lazy.map(\.tax).sum() }
    /// What the document adds to sales: negative for a credit note.
    package var signedTotal: Money { kind == .invoice ? total : -total }
}

/// Which of a sale's documents one is. Each has a number of its own, so that each can be void and posted again alone.
package enum DocumentSlot: Sendable, Hashable, CustomStringConvertible {
    /// The sale or, for a refund order, the refund.
    case sale
    /// The n-th day on which money of the sale was paid back without a refund order of its own.
    case refund(Int)
    /// Takes back the document with that revision where Xero no longer lets it be changed.
    case reversal(Int)

    /// What the number carries after the order's id.
    package var suffix: String {
        switch self {
        case .sale: ""
        case .refund(let turn): "-c\(turn)"
        case .reversal(let revision): revision == 0 ? "-x" : "-r\(revision)-x"
        }
    }

    package var description: String {
        switch self {
        case .sale: "sale"
        case .refund(let turn): "refund \(turn)"
        case .reversal(let revision): "reversal of revision \(revision)"
        }
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

/// Money in, or on a credit note money back, through the tender's clearing account.
package struct LedgerPayment: Sendable, Hashable {
    package var account: String
    package var amount: Money
    /// As the ledger dates it.
    package var date: CalendarDate
    /// The trading day on which the money changed hands, whatever the payment had to be dated.
    package var day: CalendarDate
    /// What the ledger shows beside it: the method, unless a rule says otherwise.
    package var reference: String
    /// As the till calls it.
    package var method: String

    package init(account: String, amount: Money, date: CalendarDate, reference: String) {
        method = reference
        self.account = account
        self.amount = amount
        self.date = date
        day = date
        self.reference = reference
    }

    /// The same money, whatever it had to be dated.
    package func isSameMoney(as other: LedgerPayment) -> Bool {
        account == other.account && amount == other.amount && day == other.day && reference == other.reference
    }
}

/// The part of a credit note that settles an open invoice.
package struct LedgerAllocation: Sendable, Hashable {
    package var invoice: DocumentNumber
    package var amount: Money
    package var date: CalendarDate

    package init(invoice: DocumentNumber, amount: Money, date: CalendarDate) {
        self.invoice = invoice
        self.amount = amount
        self.date = date
    }
}

/// A sale's document was an invoice and nothing else before there were credit notes.
package typealias Invoice = LedgerDocument
package typealias InvoiceLine = LedgerLine
package typealias InvoicePayment = LedgerPayment
