package import Domain

/// Turns Xero's sentences into the class, the cause and the remedy a bookkeeper needs.
///
/// The sentences are Xero's own (`reference/xero-api.md`, captured answers); one nobody knows yet is quoted as it is.
package enum RefusalReading {
    /// "Invoice # must be unique." on a create, or the same of a credit note: the number is there already, perhaps
    /// by our own earlier call.
    package static func saysAlreadyThere(_ sentences: [String]) -> Bool {
        sentences.contains {
            $0.contains("must be unique") && ($0.contains("Invoice #") || $0.lowercased().contains("credit note"))
        }
    }

    /// "The contact name X is already assigned to another contact."
    package static func saysNameIsTaken(_ sentences: [String]) -> Bool {
        sentences.contains { $0.lowercased().contains("contact name") && $0.lowercased().contains("already assigned") }
    }

    /// "The Contact with ContactID X has been archived."
    package static func saysContactIsArchived(_ sentences: [String]) -> Bool {
        sentences.contains { $0.lowercased().contains("contact") && $0.lowercased().contains("has been archived") }
    }

    /// The invoice owes less than the payment comes to: somebody has paid it, perhaps an earlier call of our own that
    /// arrived late.
    package static func saysPaidAlready(_ sentences: [String]) -> Bool {
        sentences.contains { $0.contains("exceeds the amount outstanding") }
    }

    /// - Parameter document: what was refused, such as `invoice HBR-7000016118`.
    package static func park(_ sentences: [String], document: String) -> Park {
        // Xero repeats a sentence for each line it applies to.
        var seen: Set<String> = []
        let text = sentences.filter { seen.insert($0).inserted }.joined(separator: " ")
        let lowered = text.lowercased()
        let quoted = "Xero refused \(document): \(text)"
        for reading in readings where reading.words.contains(where: { lowered.contains($0) }) {
            let name = nameInQuotes(text, after: reading.nameAfter)
            let cause = name.flatMap { name in reading.plain.map { $0(name) } }
            return Park(
                reading.deadLetterClass, cause.map { "\($0) \(quoted)" } ?? quoted,
                remedy: reading.remedy(name ?? reading.unnamed))
        }
        return Park(.value, quoted, remedy: "Correct what the sentence names, then replay.")
    }

    /// Something else stands under a document's number.
    ///
    /// - Parameters:
    ///   - difference: what shows it: `its total is 10.00, ours 12.00`.
    ///   - isEarlierVersion: it is what an earlier version of the same order came to.
    package static func taken(_ number: String, _ difference: String, isEarlierVersion: Bool) -> Park {
        let what = isEarlierVersion ? "an earlier version of this order" : "another document"
        return again("Xero holds \(what) under the number \(number): \(difference).")
    }

    /// The letter of a document that was refused before, made again from the cause that was stored with it: for a
    /// writer that was killed after it had stored the refusal and before its letter was sent.
    package static func again(_ cause: String) -> Park {
        if CallLimit.isNamed(in: cause) { return Park(.rateLimit, cause, remedy: CallLimit.remedy) }
        let park = Self.park([cause], document: "it")
        return Park(park.deadLetterClass, cause, remedy: park.remedy)
    }

    private struct Reading {
        let deadLetterClass: DeadLetterClass
        /// Any of these, in lower case, makes the sentence this one.
        let words: [String]
        /// The word before the quoted name: `Account code '231'`.
        var nameAfter = ""
        /// What the name stands for where the sentence does not tell it.
        var unnamed = ""
        var plain: (@Sendable (String) -> String)?
        let remedy: @Sendable (String) -> String
    }

    private static let readings: [Reading] = [
        // Not Xero's sentences but our own, stored with a document in their place.
        Reading(
            deadLetterClass: .duplicate, words: ["it is voided.", "it is deleted."],
            remedy: { _ in
                "A void document keeps its number in Xero, and nothing else can be booked under it. Enter this one "
                    + "there by hand under another number, such as its own with -r1 behind it, with its payments; "
                    + "then discard this letter."
            }),
        Reading(
            deadLetterClass: .duplicate, words: ["holds an earlier version of this order"],
            remedy: { _ in
                "Do not keep it beside this one: the sale would count twice. In Xero remove its payments, give it "
                    + "another number (void it only then: a void document keeps its number), void it, and replay."
            }),
        Reading(
            deadLetterClass: .duplicate, words: ["holds another document under the number"],
            remedy: { _ in "Rename that document in Xero, then replay." }),
        Reading(
            deadLetterClass: .unknown, words: ["three workers died"],
            remedy: { _ in "Look at the workers' logs of that time and report this to the makers; then replay." }),
        Reading(
            deadLetterClass: .connection, words: ["times, the last time so:"],
            remedy: { _ in "See whether Xero has trouble with this document or with everything; then replay." }),
        Reading(
            deadLetterClass: .lockedPeriod, words: ["lock date"],
            remedy: { _ in
                "Move the lock date in Xero (Accounting, Advanced, Financial settings) before the day, then replay; "
                    + "or book it by hand in an open period and discard this letter."
            }),
        Reading(
            deadLetterClass: .archived, words: ["contact with contactid", "contact has been archived"],
            remedy: { _ in
                "Restore the venue's contact in Xero (Contacts, Archived), then replay. Where it was merged into "
                    + "another contact, replay: that one is used from then on."
            }),
        Reading(
            deadLetterClass: .archived, words: ["archived", "not active"], nameAfter: "account code",
            unnamed: "what the sentence names", plain: { ArchivedAccountWords.cause($0) },
            remedy: { name in
                let what = name.first?.isNumber == true ? "account \(name)" : name
                return "Restore \(what) in Xero (Accounting, Chart of accounts), or "
                    + ArchivedAccountWords.mapElsewhere(ArchivedAccountWords.anything)
                    + " in the configuration, then replay."
            }),
        Reading(
            deadLetterClass: .duplicate, words: ["must be unique", "already assigned"],
            remedy: { _ in
                "See which document or contact holds the number or name in Xero; rename it, then replay."
            }),
        Reading(
            deadLetterClass: .connection, words: ["authenticationunsuccessful", "not permitted to access"],
            remedy: { _ in "Connect the organisation again in Xero (Settings, Connected apps), then replay." }),
        Reading(
            deadLetterClass: .mapping, words: ["does not have payments enabled"], nameAfter: "account code",
            unnamed: "the account", plain: { "Account \($0) takes no payments in Xero." },
            remedy: { name in
                "Edit account \(name) in Xero and tick \"Enable payments to this account\", or map the payment method "
                    + "to another account in the configuration, then replay."
            }),
        Reading(
            deadLetterClass: .mapping, words: ["the taxtype code", "taxtype"], nameAfter: "taxtype code",
            unnamed: "the tax type", plain: { "Tax type \($0) does not fit." },
            remedy: { _ in
                "Correct the tax type under `taxes` of the organisation, or the account it is used with, then replay."
            }),
        Reading(
            deadLetterClass: .mapping, words: ["tracking"], nameAfter: "tracking option", unnamed: "the option",
            plain: { "Tracking option \($0) is missing or archived in Xero." },
            remedy: { name in
                "Add or restore \(name) in Xero's tracking categories, or correct `tracking` of the venue in the "
                    + "configuration, then replay."
            }),
        Reading(
            deadLetterClass: .mapping, words: ["account"], nameAfter: "account code", unnamed: "the account",
            plain: { "Account \($0) cannot be used in Xero: it is missing, archived or of another kind." },
            remedy: { name in
                "Add or restore account \(name) in Xero (Accounting, Chart of accounts), or map it to another account "
                    + "in the configuration, then replay."
            }),
        Reading(
            deadLetterClass: .value, words: ["stands in xero with"],
            remedy: { _ in "Void the invoice in Xero and report this to the makers; then discard this letter." }),
        Reading(
            deadLetterClass: .value, words: ["exceeds the amount outstanding"],
            remedy: { _ in
                "See in Xero what was paid on the invoice: if this payment was entered by hand, discard this letter; "
                    + "else correct what is there, then replay."
            }),
    ]

    /// `231` of `Account code '231' is not valid`.
    private static func nameInQuotes(_ text: String, after word: String) -> String? {
        guard !word.isEmpty else { return nil }
        let lowered = text.lowercased()
        guard lowered.utf8.count == text.utf8.count, let found = lowered.firstRange(of: word + " '") else { return nil }
        let start = text.utf8.index(text.startIndex, offsetBy: lowered.utf8.distance(
            from: lowered.startIndex, to: found.upperBound))
        guard let end = text[start...].firstIndex(of: "'"), start < end else { return nil }
        let name = text[start..<end]
        return name.count <= 100 ? String(name) : nil
    }
}
