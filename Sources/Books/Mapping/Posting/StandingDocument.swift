package import Domain
package import Money

/// A document as it already stands, in the fleet's table or in the ledger.
package struct StandingDocument: Sendable, Equatable {
    package enum Standing: Sendable, Hashable, CaseIterable {
        /// Stored, nothing sent: it may still be replaced.
        case waiting
        /// A writer holds it, or its outcome is not known yet: nothing may be decided over it.
        case inHand
        /// The ledger would not take it; it lies on the desk.
        case refused
        case written
        /// Void in the ledger, withdrawn, or taken back in full by a document of ours. Its number stays used.
        case gone

        package init(_ state: DocumentState) {
            self =
                switch state {
                case .ready: .waiting
                case .claimed, .sent, .uncertain: .inHand
                case .written: .written
                case .refused: .refused
                case .withdrawn, .voided: .gone
                }
        }
    }

    package var standing: Standing
    /// 0 for the first; the `<n>` of `-r<n>` after that.
    package var revision: Int
    /// What was posted, with the payments as they stand in the ledger now.
    package var document: LedgerDocument
    /// The part of it that credit notes allocated to it have settled.
    package var credited: Money
    /// What refunds of it came to in all, paid back or allocated.
    package var givenBack: Money
    /// A payment of it is reconciled with the bank: neither it nor the payment may be taken away.
    package var isReconciled: Bool

    package init(
        _ standing: Standing, _ document: LedgerDocument, revision: Int = 0, credited: Money = .zero,
        givenBack: Money = .zero, isReconciled: Bool = false
    ) {
        self.standing = standing
        self.document = document
        self.revision = revision
        self.credited = credited
        self.givenBack = givenBack
        self.isReconciled = isReconciled
    }

    package var number: DocumentNumber { document.number }
    /// Takes another document of the order back.
    var isReversal: Bool { if case .reversal = document.slot { true } else { false } }
    /// Xero lets a document be changed or made void only while nothing is paid or allocated.
    var isUntouched: Bool { document.payments.isEmpty && document.allocations.isEmpty && credited.isZero }
}

/// The days the organisation has locked: `PeriodLockDate` or `EndOfYearLockDate`, whichever is later.
package struct LedgerLocks: Sendable, Hashable {
    /// The last locked day; nil where nothing is locked.
    package var lockedThrough: CalendarDate?

    package static let none = LedgerLocks(lockedThrough: nil)

    package init(lockedThrough: CalendarDate?) { self.lockedThrough = lockedThrough }

    package func isLocked(_ day: CalendarDate) -> Bool { lockedThrough.map { day <= $0 } ?? false }

    /// The day itself, or the first that is open after it.
    package func open(_ day: CalendarDate) -> CalendarDate {
        guard let lockedThrough, day <= lockedThrough else { return day }
        return lockedThrough.adding(days: 1)
    }
}
