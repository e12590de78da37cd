"""Everything that imports Dagster: assets, checks, jobs, resources."""

import warnings

from dagster import BetaWarning, PreviewWarning

# what Dagster may yet change: owners of jobs, partitions of checks, several sources observed by one step
warnings.filterwarnings("ignore", category=BetaWarning)
warnings.filterwarnings("ignore", category=PreviewWarning)
