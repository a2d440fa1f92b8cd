"""What is kept and told: results on disk, digests, gradebook, report, pages, export."""
