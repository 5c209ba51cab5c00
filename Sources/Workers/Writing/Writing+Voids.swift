import Domain
import Store
import Xero

extension Writing {
    /// Takes a document out of the ledger: its payments and allocations first, since Xero makes void only what nothing
    /// is paid or set against.
    ///
    /// - Throws: ``TaskRefusal``, before anything was taken away where that can be seen: half of a document's payments
    ///   gone is a state nobody wants to find.
    func makeVoid(_ claim: Claim) async throws {
        guard let id = claim.xeroID, let document = try await standing([claim]).first, !document.isGone else {
            return try await tools.store.recordTask(claim, .voided, of: nil)
        }
        try await requireOpen(claim, document)
        try await requireUnreconciled(claim, document)
        for payment in document.payments {
            try await change(
                claim, .removePayment(payment.id), unless: {
                    try await standing([claim]).first?.payments.contains { $0.id == payment.id } != true
                })
        }
        for allocation in try await allocations(of: document, claim) {
            try await change(
                claim, .removeAllocation(allocation.id, of: allocation.note), unless: {
                    try await !allocations(of: document, claim).contains(allocation)
                })
        }
        let call = try await change(
            claim, .void(claim.kind, id),
            unless: { try await standing([claim]).first?.isGone == true })
        try await tools.store.recordTask(claim, .voided, of: call)
    }

    private func requireOpen(_ claim: Claim, _ document: LedgerInvoice) async throws {
        guard let locked = try await readLocks(holding: claim) else { return }
        let days = [CalendarDate(claim.date)].compactMap { $0 } + document.payments.compactMap(\.date)
        guard let day = days.first(where: { $0 <= locked }) else { return }
        throw TaskRefusal(
            sentence: "\(day) is not after the lock date, currently set at \(locked).", obstacle: .locked)
    }

    /// Xero may well let a reconciled payment go, and leave the bank's statement without its match.
    private func requireUnreconciled(_ claim: Claim, _ document: LedgerInvoice) async throws {
        for payment in document.payments {
            let read = try await patiently(holding: [claim]) { [tools] in
                try await tools.ledger.payment(id: payment.id)
            }
            guard read?.isReconciled == true else { continue }
            let amount = payment.amount.map { " of \($0)" } ?? ""
            throw TaskRefusal(
                sentence: "Its payment\(amount) is reconciled with the bank's statement.", obstacle: .reconciled)
        }
    }

    private struct Allocated: Equatable {
        let note: String
        let id: String
    }

    /// An invoice names the credit notes set against it; the allocations' own ids stand on those.
    private func allocations(of document: LedgerInvoice, _ claim: Claim) async throws -> [Allocated] {
        if claim.kind == .creditNote {
            return document.allocations.compactMap { allocation in
                allocation.id.map { Allocated(note: document.id, id: $0) }
            }
        }
        var found: [Allocated] = []
        for note in Set(document.allocations.compactMap(\.creditNoteID)).sorted() {
            let read = try await patiently(holding: [claim]) { [tools] in
                try await tools.ledger.document(.creditNote, id: note)
            }
            for allocation in read?.allocations ?? [] where allocation.invoiceID == document.id {
                if let id = allocation.id { found.append(Allocated(note: note, id: id)) }
            }
        }
        return found
    }
}
