import Domain
import Operator
import Store

extension BookedDocument {
    init(_ row: BookedRow) {
        var standing = row.state.words
        switch row.task {
        case .void: standing += ", is to be made void"
        case .update: standing += ", is to be changed"
        case nil: if row.state == .written && !row.isClosed { standing += ", payments are on their way" }
        }
        if row.isReconciled { standing += ", a payment is reconciled" }
        self.init(
            number: row.number, kind: row.kind, standing: standing, total: row.total, date: row.date,
            reason: row.reason, refusal: row.refusal,
            payments: row.payments.map { payment in
                let what = payment.allocates.map { "set against \($0)" } ?? "paid by account \(payment.account)"
                return "\(what): \(payment.amount) on \(payment.date), \(payment.state)"
            })
    }
}
