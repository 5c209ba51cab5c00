import Domain
import Testing
import Xero

@Suite("Xero's sentences") struct RefusalReadingTests {
    @Test(
        "each sentence has the class of who can put it right",
        arguments: [
            (
                "The document date cannot be before the period lock date, currently set at 30 June 2026.",
                DeadLetterClass.lockedPeriod
            ),
            (
                "The document date cannot be before the end of year lock date, currently set at 30 June 2026.",
                .lockedPeriod
            ),
            ("Invoice # must be unique.", .duplicate),
            (
                "The contact name X is already assigned to another contact. The contact name must be unique across all "
                    + "active contacts.", .duplicate
            ),
            ("The TaxType code 'OUTPUT9' cannot be used with account code '230'.", .mapping),
            ("Account code '999' is not a valid code for this document.", .mapping),
            ("The tracking option 'Pier' does not exist.", .mapping),
            ("Account code '231' has been archived, or deleted.", .archived),
            ("The contact has been archived and cannot be used.", .archived),
            ("Payment amount exceeds the amount outstanding on this document", .value),
            ("Invoice not of valid status for modification", .value),
            ("This document cannot be edited as it has a payment or credit note allocated to it.", .value),
            ("", .value),
        ])
    func classes(sentence: String, expected: DeadLetterClass) {
        let park = RefusalReading.park([sentence], document: "HBR-1")
        #expect(park.deadLetterClass == expected)
        #expect(park.cause.hasSuffix("Xero refused HBR-1: \(sentence)"))
        #expect(park.remedy.contains("replay"))
    }

    @Test("an archived account is named, with what to do about it")
    func archived() {
        let sentence = "Account code '4010' has been archived and cannot be used in this document."
        let park = RefusalReading.park([sentence, sentence], document: "invoice HBR-1")
        #expect(park.cause == "Account 4010 is archived in Xero. Xero refused invoice HBR-1: \(sentence)")
        #expect(park.remedy.contains("Restore account 4010 in Xero") && park.remedy.contains("another account"))
    }

    @Test(
        "a refusal told again from what was stored is the same letter",
        arguments: [
            "Account code '4010' has been archived and cannot be used in this document.",
            "The document date cannot be before the period lock date, currently set at 30 June 2026.",
            "Payment amount exceeds the amount outstanding on this document", "Something new.",
        ])
    func again(sentence: String) {
        let park = RefusalReading.park([sentence], document: "invoice HBR-1")
        #expect(RefusalReading.again(park.cause) == park)
    }

    @Test("a sentence cannot lead it astray", arguments: ["account code '", "account code ''", "ACCOUNT CODE 'İ' İ"])
    func hostile(sentence: String) {
        #expect(RefusalReading.park([sentence], document: "x").cause.hasSuffix(sentence))
    }

    @Test("only a number in use says that the invoice may be there already")
    func alreadyThere() {
        #expect(RefusalReading.saysAlreadyThere(["Something else.", "Invoice # must be unique."]))
        #expect(!RefusalReading.saysAlreadyThere(["The contact name must be unique across all active contacts."]))
        #expect(!RefusalReading.saysAlreadyThere(["Invoice # is too long.", "The contact name must be unique."]))
        #expect(!RefusalReading.saysAlreadyThere([]))
    }

    @Test("only an amount beyond what is owed says that the payment may stand already")
    func paidAlready() {
        #expect(
            RefusalReading.saysPaidAlready(["Payment amount exceeds the amount outstanding on this document"]))
        #expect(!RefusalReading.saysPaidAlready(["Payment amount must be greater than zero", ""]))
        #expect(!RefusalReading.saysPaidAlready([]))
    }
}
