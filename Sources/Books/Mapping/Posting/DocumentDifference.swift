import Domain
import Money

/// In what two versions of one document differ, as far as Xero treats it differently.
struct DocumentDifference: CustomStringConvertible {
    private(set) var changesKind = false
    /// Another amount, tax type, quantity, item or number of lines, another date or currency.
    private(set) var changesFigures = false
    /// Another account or tracking of a line: a paid invoice may still change it.
    private(set) var changesAccounts = false
    /// Reference, due date, contact, descriptions, theme, link.
    private(set) var changesWords = false
    private(set) var addedPayments: [LedgerPayment] = []
    private(set) var removesPayments = false
    private(set) var changesAllocations = false

    /// Reasons and warnings are ours and no part of the ledger's document; nor is the number's revision.
    init(from old: LedgerDocument, to new: LedgerDocument) {
        changesKind = old.kind != new.kind
        changesFigures = old.day != new.day || old.currency != new.currency || old.lines.count != new.lines.count
        for (before, after) in zip(old.lines, new.lines) {
            if before.amount != after.amount || before.taxType != after.taxType || before.quantity != after.quantity
                || before.itemCode != after.itemCode {
                changesFigures = true
            }
            if before.account != after.account || before.tracking != after.tracking { changesAccounts = true }
            if before.description != after.description { changesWords = true }
        }
        // A document that had to be dated later than its day had its due date moved along.
        let changesDueDate = old.dueDate != new.dueDate && old.date == old.day
        if old.reference != new.reference || changesDueDate || old.contactNumber != new.contactNumber
            || old.brandingTheme != new.brandingTheme || old.url != new.url {
            changesWords = true
        }
        var missing = old.payments
        for payment in new.payments {
            if let index = missing.firstIndex(where: payment.isSameMoney) {
                missing.remove(at: index)
            } else {
                addedPayments.append(payment)
            }
        }
        removesPayments = !missing.isEmpty
        // In sum: which documents it settles is the ledger's affair, since a sale may have been posted again meanwhile.
        changesAllocations = old.allocated != new.allocated
    }

    var isNone: Bool { !changesDocument && addedPayments.isEmpty && !removesPayments }
    var isOnlyMorePayments: Bool { !changesFixed && !addedPayments.isEmpty && !removesPayments && !changesAccounts }
    /// What Xero lets be changed on an invoice that is paid.
    var isOnlyWords: Bool { !changesFixed && addedPayments.isEmpty && !removesPayments }
    var movesMoney: Bool { changesFixed || changesAccounts || !addedPayments.isEmpty || removesPayments }

    private var changesFixed: Bool { changesKind || changesFigures || changesAllocations }
    private var changesDocument: Bool { changesFixed || changesAccounts || changesWords }

    var description: String {
        var parts: [String] = []
        if changesKind { parts.append("sale or refund") }
        if changesFigures { parts.append("figures") }
        if changesAccounts { parts.append("accounts") }
        if changesWords { parts.append("words") }
        if removesPayments || !addedPayments.isEmpty { parts.append("payments") }
        if changesAllocations { parts.append("what it settles") }
        return parts.joined(separator: ", ")
    }
}
