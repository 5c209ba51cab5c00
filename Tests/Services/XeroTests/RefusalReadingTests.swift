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
        #expect(park.cause == "Xero refused HBR-1: \(sentence)")
        #expect(park.remedy.contains("replay"))
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
