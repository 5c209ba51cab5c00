import ArgumentParser
import Bootstrap

@main struct DeadLetterHandler: WorkerCommand {
    static var worker: Worker { .deadLetterHandler }
    @OptionGroup var options: WorkerOptions
}
