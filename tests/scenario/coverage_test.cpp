// The list of what is covered: every failure mode F1 to F45 has a test named after it, and every behaviour that was
// seen in a real client names the scenarios that have it. A test that is removed or renamed fails here.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

namespace {

std::set<std::string> all_tests() {
    std::set<std::string> out;
    const auto& unit = *testing::UnitTest::GetInstance();
    for (int i = 0; i < unit.total_test_suite_count(); ++i) {
        const auto& suite = *unit.GetTestSuite(i);
        for (int j = 0; j < suite.total_test_count(); ++j)
            out.insert(fmt::format("{}.{}", suite.name(), suite.GetTestInfo(j)->name()));
    }
    return out;
}

struct Behaviour {
    const char* what;
    std::vector<const char*> tests;
};

const std::vector<Behaviour>& behaviours() {
    static const std::vector<Behaviour> table{
        // Zephyr's lwm2m_client
        {"Register of 1.0, 1.1 and 1.2, with and without versions, Q or UQ",
         {"Client.RegistersInEveryVersionAndForm", "Quirks/EveryClient.EndsUpdated/lwm2m_1_0"}},
        {"Size1, exact, on block 0",
         {"Quirks/EveryClient.EndsUpdated/size1_required", "Client.PackagesAreOpaqueAndConfirmable"}},
        {"2.04 on the last block is not success",
         {"Failure.F39_AWriteErrorBehind204IsNoDownload", "Failure.F27_State1ForEverIsEndedByUs"}},
        {"no memory of message ids; a repeated last block is 4.04",
         {"Quirks/EveryClient.EndsUpdated/no_dedup", "Quirks/EveryClient.EndsUpdated/last_block_404",
          "Failure.F04_TheLastAcknowledgementIsLostAndStateTells"}},
        {"a block after a gap; a cold start in the middle",
         {"Quirks/EveryClient.EndsUpdated/gap_ends_transfer", "Client.AColdStartInTheMiddleStartsOver"}},
        {"restart from block 0 in mid-transfer, which may end in State 1",
         {"Failure.F06_AnOldTransferInTheWayIsResetThenRebootedAway",
          "ClientTransfer.ATransferThatStartsOverIsResetBefore", "Quirks/EveryClient.EndsUpdated/restart_spoils"}},
        {"block sizes and their change",
         {"Failure.F07_ABlockSizeThatWasNotTakenIsNotUsedAgain", "Quirks/EveryClient.EndsUpdated/smaller_szx",
          "ClientTransfer.AResumedTransferKeepsItsBlockSize"}},
        {"M=0 in what acknowledges a block",
         {"Quirks/EveryClient.EndsUpdated/echo_without_more",
          "ClientTransfer.AnAcknowledgementThatLooksLikeTheLastOneIsOneOfItsBlock"}},
        {"a block after its copy was answered in a response of its own",
         {"ClientTransfer.ACopyOfAnEarlierSeparateResponseDoesNotBringABlockTwice"}},
        {"Content-Format 42 only", {"Client.PackagesAreOpaqueAndConfirmable"}},
        {"resets by NUL and by URI; a NUL that completes",
         {"Client.ResetsWorkByNulAndByUri", "Quirks/EveryClient.EndsUpdated/nul_completes",
          "Quirks/EveryClient.EndsUpdated/no_uri_reset"}},
        {"State 2 and a new push", {"Client.AnotherPackageThatIsDownloadedIsResetFirst"}},
        {"an integrity error is 4.08 with Result 5", {"Client.AnIntegrityErrorThatLooksLikeAGapIsAVerdict"}},
        {"a package of no kind it takes is 4.15 with Result 6", {"ClientTransfer.APackageOfNoKindItTakesIsSentOnce"}},
        {"notifications are confirmable and come between the blocks",
         {"ClientTransfer.NotificationsComeBetweenTheBlocks"}},
        {"reads in SenML CBOR alone",
         {"Quirks/EveryClient.EndsUpdated/senml_cbor_only", "Quirks/EveryFetch.EndsUpdated/senml_cbor_only"}},
        {"reads without Accept are TLV",
         {"Quirks/EveryClient.EndsUpdated/no_accept", "ClientTransfer.EveryReadSaysInWhichFormat"}},
        {"a pause of 40 s, Updates in mid-transfer",
         {"Client.APauseOfFortySecondsIsSurvived", "Failure.F15_NothingElseIsAskedDuringATransfer"}},
        {"5/0/8 and 5/0/9",
         {"Pull.WithoutAMethodTheDeviceDecides", "Pull.ADeviceThatCannotIsRefusedBeforeAnythingIsSent"}},
        {"pull: another port, Block2 512, URIs of 127 characters, results",
         {"Pull.IsProvenAndItsBlocksAreTheProgress", "Pull.TheUriFitsWhatDevicesHold", "Pull.FromAServerThatIsNotOurs",
          "Quirks/EveryFetch.EndsUpdated/pull_gives_up"}},
        {"pull: an unknown host is Result 8", {"Pull.AnUnknownHostSaysWhatToLookAt"}},
        {"a push while it fetches", {"ClientTransfer.APushAfterAFetchThatWasLeftIsResetFirst"}},
        {"queue mode", {"Quirks/EveryClient.EndsUpdated/queue_mode", "Failure.F19_NothingIsSentToADeviceThatSleeps"}},
        // NCS on the nRF9160
        {"a reset in Idle is no no-op; State 1 is cleared at boot",
         {"Client.InIdleNothingIsResetButWhatTheJournalKnowsToBeUnfinished",
          "Quirks/EveryClient.EndsUpdated/reset_in_idle", "Quirks/EveryClient.EndsUpdated/reboot_in_push"}},
        {"confirms itself early, or reports Result 8 although it runs",
         {"Failure.F25_Result8OfAnImageThatRunsIsNoFailure"}},
        {"an empty ACK, the response after the erase",
         {"Quirks/EveryClient.EndsUpdated/slow_erase", "Quirks/EveryClient.EndsUpdated/separate_response",
          "Failure.F01_ASlowEraseDoesNotBringBlock0Twice"}},
        {"bytes that are written already are skipped",
         {"ClientTransfer.WhatIsWrittenAlreadyIsSkippedByTheDeviceAndThePackageIsWhole",
          "ClientTransfer.WhatIsLeftOfAnotherPackageIsForgottenBeforeTheNext",
          "Quirks/EveryClient.EndsUpdated/skips_written"}},
        {"modem packages take minutes", {"Failure.F37_AModemUpdateMayTakeMinutes"}},
        {"object 33629 and versions with a dash",
         {"AdvancedObject.TheApplicationGoesThroughItsInstance", "Quirks/EveryClient.EndsUpdated/version_dash"}},
        {"linked and conflicting instances of 33629",
         {"LinkedInstances.WhatThePackageHoldsIsUpdatedByOneExecuteThatNamesIt",
          "LinkedInstances.OneThatDoesNotRunIsNoSuccess",
          "ConflictingInstances.APackageInTheWayIsNamedAndWithdrawnBeforeExecute",
          "ConflictingInstances.AnUnmetDependencyNamesWhatHasToBeUpdatedFirst"}},
        // Anjay
        {"State 2 is notified", {"Watch.ALateVerdictIsToldAndNotAskedForAgainAndAgain"}},
        {"a short block that is not the last, and SZX 7, are 4.02", {"Client.BlocksAreWholeAndOfASizeThatThereIs"}},
        {"registers anew without deregistering; observations are gone",
         {"Push.IsProvenAndTheSecondTimeAlreadyInstalled", "Failure.F21_WhatRunsIsReadAfterEveryRegistration"}},
        {"5.03 to everything else during a push", {"Quirks/EveryClient.EndsUpdated/busy_during_push"}},
        {"5.03 to a repeated block, 4.08 to a repeated last one",
         {"Quirks/EveryClient.EndsUpdated/503_after_retransmission"}},
        {"5.03 until an abandoned exchange expires",
         {"Client.AnAbandonedPushIsWaitedForWhileItAnswersBusy", "ClientTransfer.WhereItDoesNotEndItIsWaitedFor"}},
        {"fast abort", {"ClientTransfer.AnEarlyLastBlockEndsWhatWasLeftUnfinished"}},
        {"an unfinished Block2 read", {"Quirks/EveryClient.EndsUpdated/reads_in_blocks"}},
        {"4.13 without a hint", {"Failure.F08_TooLargeWithoutAHintHalvesTheBlocks"}},
        {"killed in mid-push, killed when downloaded",
         {"Quirks/EveryClient.EndsUpdated/reboot_in_push", "Client.ADownloadThatSurvivedAPowerLossIsExecuted"}},
        {"no Update in a push longer than the lifetime", {"Failure.F16_ALifetimeThatEndsInTheTransferEndsNothing"}},
        {"bad packages answer 2.04; delayed results; deferral; disappearing",
         {"ClientTransfer.AVerdictThatComesLateIsWaitedFor", "Quirks/EveryClient.EndsUpdated/late_verdict",
          "Failure.F40_ALostConnectionIsRetriedAVerdictIsNot", "Push.EndsThatAreNoUpdateHaveTheirOwnOutcome",
          "Push.ADeviceThatNeverReturnsDidNotApply"}},
        {"Registers in Block1 parts of 32 bytes", {"Client.AnUpdateWithABlockedObjectListIsTaken"}},
        // wakaama's example
        {"State 1 from the start, 2 after Execute", {"ClientTransfer.AnExampleThatIsAlwaysDownloadingIsNeverExecuted"}},
    };
    return table;
}

}  // namespace

TEST(Coverage, EveryFailureModeHasATestOfItsName) {
    const auto tests = all_tests();
    for (int number = 1; number <= 45; ++number) {
        const auto prefix = fmt::format("Failure.F{:02}_", number);
        const auto it = tests.lower_bound(prefix);
        EXPECT_TRUE(it != tests.end() && it->starts_with(prefix)) << "no test named " << prefix << "...";
    }
}

TEST(Coverage, EveryBehaviourOfAClientNamesItsTests) {
    const auto tests = all_tests();
    for (const auto& [what, names] : behaviours()) {
        EXPECT_FALSE(names.empty()) << what;
        for (const auto* name : names) EXPECT_TRUE(tests.contains(name)) << what << ": no test " << name;
    }
}
