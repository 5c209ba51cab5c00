import Domain
import Money

/// Entries added up: amounts by group, money by tender. Signed: what refunds take is negative.
struct DaySum {
    struct Tender: Hashable {
        let account: String
        let reference: String
        /// Lay-by and deposits may have been paid on earlier days.
        let day: CalendarDate
    }

    private(set) var groups: [DayEntry.Group: Money] = [:]
    private(set) var tenders: [Tender: Money] = [:]

    mutating func add(_ entry: DayEntry, isTakenBack: Bool = false) {
        let isNegative = entry.isRefund != isTakenBack
        for part in entry.parts { groups[part.group, default: .zero] += isNegative ? -part.amount : part.amount }
        for payment in entry.payments {
            // By method: what a rule writes beside one order's payment says nothing of a day's.
            let tender = Tender(account: payment.account, reference: payment.method, day: payment.day)
            tenders[tender, default: .zero] += isNegative ? -payment.amount : payment.amount
        }
    }

    var total: Money { groups.values.sum() }
    var isNothing: Bool { groups.values.allSatisfy(\.isZero) && tenders.values.allSatisfy(\.isZero) }

    /// The ledger takes a document's payments in one direction only, its own. Nil where there is none such.
    var kind: LedgerDocument.Kind? {
        if !total.isNegative, tenders.values.allSatisfy({ !$0.isNegative }) { return .invoice }
        if !(-total).isNegative, tenders.values.allSatisfy({ !(-$0).isNegative }) { return .creditNote }
        return nil
    }
}
