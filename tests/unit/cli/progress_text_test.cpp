#include "cli/progress_text.hpp"

#include <gtest/gtest.h>

#include <limits>

using namespace fota::cli;

TEST(ProgressBar, IsAsWideAsItWasAskedForWhateverThePart) {
    EXPECT_EQ(progress_bar(0.5, 4), "██  ");
    EXPECT_EQ(progress_bar(-1, 4), "    ");
    EXPECT_EQ(progress_bar(2, 4), "████");
    EXPECT_EQ(progress_bar(std::numeric_limits<double>::quiet_NaN(), 4), "    ") << "no bytes of none";
    EXPECT_EQ(progress_bar(0.5, -3), "");
}
