package import Domain

/// Turns Xero's sentences into the class and the remedy a bookkeeper needs.
package enum RefusalReading {
    /// "Invoice # must be unique." on a create: the number is there already, perhaps by our own earlier call.
    package static func saysAlreadyThere(_ sentences: [String]) -> Bool {
        sentences.contains { $0.contains("must be unique") && $0.contains("Invoice #") }
    }

    /// The invoice owes less than the payment comes to: somebody has paid it, perhaps an earlier call of our own that
    /// arrived late.
    package static func saysPaidAlready(_ sentences: [String]) -> Bool {
        sentences.contains { $0.contains("exceeds the amount outstanding") }
    }

    package static func park(_ sentences: [String], document: String) -> Park {
        let text = sentences.joined(separator: " ")
        let lowered = text.lowercased()
        func park(_ deadLetterClass: DeadLetterClass, _ remedy: String) -> Park {
            Park(deadLetterClass, "Xero refused \(document): \(text)", remedy: remedy)
        }
        if lowered.contains("lock date") {
            return park(.lockedPeriod, "Move the lock date in Xero (Accounting settings, Financial), then replay.")
        }
        if lowered.contains("archived") || lowered.contains("not active") {
            return park(
                .archived, "Restore what the sentence names in Xero, or map it to another account, then replay.")
        }
        if lowered.contains("must be unique") || lowered.contains("already assigned") {
            return park(
                .duplicate, "See which document or contact holds the number or name in Xero; rename it, then replay.")
        }
        if lowered.contains("account code") || lowered.contains("taxtype") || lowered.contains("tracking")
            || lowered.contains("account")
        {
            return park(.mapping, "Correct the account, tax type or tracking in the configuration, then replay.")
        }
        return park(.value, "Correct what the sentence names, then replay.")
    }
}
